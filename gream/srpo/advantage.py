"""How much better than its group is a completion, and what is an exact hit worth? SRPO's advantage.

Legend: P groups (prompts), G completions per group, K = bonus_k, c = exact hits in a group.
Source: seed 003 and arXiv 2510.20815, section on SRPO; formulas and test vectors in METHODS 1.4.
"""

from __future__ import annotations

from math import comb, sqrt

import torch

EPS = 1e-6


def standardised_advantage(rewards: torch.Tensor, eps: float = EPS) -> torch.Tensor:
    """Center each group and divide by its unbiased standard deviation.

    Args:
        rewards: (P, G) one reward per completion.
        eps: added to the standard deviation.

    Returns:
        (P, G) advantages `A_rs`; all zero in a group whose rewards are equal.

    Source: GRPO; SRPO's residual-sensitive part.
    """
    centred = rewards - rewards.mean(dim=1, keepdim=True)
    return centred / (rewards.std(dim=1, keepdim=True, unbiased=True) + eps)


def bonus(hits: torch.Tensor, bonus_k: int = 4, eps: float = EPS) -> torch.Tensor:
    """Pass@K bonus of every completion.

    With `rho = 1 - C(G-c, K) / C(G, K)` (chance that K of the G contain a hit) and `sigma = sqrt(rho (1 -
    rho))`:
    a hit gets `(1 - rho) / (sigma + eps)`, a miss `((1 - rho) - delta) / (sigma + eps)` where
    `delta = C(G-c-1, K-1) / C(G-1, K-1)` is the chance that K - 1 others hold no hit either.

    Args:
        hits: (P, G) bool, True where the completion names exactly the target item.
        bonus_k: K, between 1 and G.
        eps: added to sigma.

    Returns:
        (P, G) float32, zero in groups without a hit or with `rho = 1`.

    Raises:
        ValueError: K is not between 1 and G.

    Example:
        One hit among ten, K = 4: the hit gets 1.2247, each miss -0.1361.
    """
    group_size = hits.shape[1]
    if not 1 <= bonus_k <= group_size:
        raise ValueError(f"bonus_k must be between 1 and the group size: got {bonus_k} for groups of {group_size}")
    table = torch.tensor([_bonus_pair(c, group_size, bonus_k, eps) for c in range(group_size + 1)])  # (G + 1, 2)
    per_group = table.to(hits.device)[hits.sum(dim=1)]  # (P, 2)
    return torch.where(hits.bool(), per_group[:, :1], per_group[:, 1:])


def bonus_calibrated_advantage(
    rewards: torch.Tensor, hits: torch.Tensor, bonus_k: int = 4, eps: float = EPS
) -> torch.Tensor:
    """Whole SRPO advantage: standardised reward plus Pass@K bonus.

    Args:
        rewards: (P, G) prefix rewards.
        hits: (P, G) bool, True where the completion names exactly the target item.
        bonus_k: K of the bonus.
        eps: added to both denominators.

    Returns:
        (P, G) advantages.

    Source: METHODS 1.4. The trainer adds `bonus` to the advantage of TRL instead, whose eps is 1e-4.
    """
    return standardised_advantage(rewards, eps) + bonus(hits, bonus_k, eps).to(rewards.dtype)


def _bonus_pair(hit_count: int, group_size: int, bonus_k: int, eps: float) -> tuple[float, float]:
    """Bonus of a hit and of a miss in a group with `hit_count` hits (binomials out of range are 0)."""
    misses = group_size - hit_count
    rho = 1 - comb(misses, bonus_k) / comb(group_size, bonus_k)
    if hit_count == 0 or rho == 1:
        return 0.0, 0.0
    delta = comb(misses - 1, bonus_k - 1) / comb(group_size - 1, bonus_k - 1)
    sigma = sqrt(rho * (1 - rho))
    return (1 - rho) / (sigma + eps), ((1 - rho) - delta) / (sigma + eps)
