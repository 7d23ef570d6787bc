"""What does FlexCode add to two RQ-VAEs? Masks, alignment, balance, smoothness and budget, as pure functions.

Legend: B items, L positions, d width, S popularity strata. alpha (B,) in [0, 1] is the share of collaborative tokens.
Source: METHODS 3 and arXiv 2511.20673; what is ours says so.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def soft_mask(counts: Tensor, num_positions: int, temperature: float) -> Tensor:
    """Which positions a fractional number of tokens fills, differentiably.

    Args:
        counts: (B,) tokens.
        num_positions: L.
        temperature: width of the edge, in positions.

    Returns:
        (B, L) shares `sigmoid((count - l - 1/2) / temperature)`; above 1/2 exactly where rounding fills position l.
    """
    positions = torch.arange(num_positions, device=counts.device)
    return torch.sigmoid((counts[:, None] - positions - 0.5) / temperature)


def hard_mask(counts: Tensor, num_positions: int) -> Tensor:
    """(B, L) of 1 at the first `counts` (B,) positions and 0 behind them."""
    return (torch.arange(num_positions, device=counts.device) < counts[:, None]).float()


def rounded_split(alpha: Tensor, budget: Tensor, least_semantic: int = 1) -> tuple[Tensor, Tensor]:
    """Whole tokens at inference.

    Args:
        alpha: (B,) collaborative share.
        budget: (B,) tokens, fractional.
        least_semantic: semantic tokens every item keeps, so that a SID's end can be seen.

    Returns:
        Collaborative and semantic tokens (B,) each; together the rounded budget (halves go up).
    """
    total = (budget + 0.5).floor().long()
    collaborative = (alpha * total + 0.5).floor().long()
    collaborative = torch.minimum(collaborative, total - least_semantic).clamp_min(0)
    return collaborative, total - collaborative


def info_nce(left: Tensor, right: Tensor, temperature: float = 0.1) -> Tensor:
    """Symmetric InfoNCE: row i of one side belongs to row i of the other, the rest of the batch does not.

    Args:
        left: (B, d).
        right: (B, d).
        temperature: of the cosine.

    Returns:
        Mean of both directions in nats; 0 for fewer than two rows, where there is nothing to tell apart.
    """
    if len(left) < 2:
        return left.sum() * 0
    logits = F.normalize(left, dim=1) @ F.normalize(right, dim=1).T / temperature
    truth = torch.arange(len(left), device=left.device)
    return 0.5 * (F.cross_entropy(logits, truth) + F.cross_entropy(logits.T, truth))


def balance_loss(alpha: Tensor, strata: Tensor, target: float = 0.5) -> Tensor:
    """Neither codebook may starve: the mean of the strata's mean alpha is pulled towards a target.

    Each stratum of popularity weighs the same, so that the many rare items do not decide alone; within and between
    strata alpha stays free.

    Args:
        alpha: (B,).
        strata: (B,) stratum of each item.
        target: wanted mean.

    Returns:
        Squared distance, a scalar. Source: ours, because METHODS names the loss and its strata, not its form.
    """
    means = [alpha[strata == stratum].mean() for stratum in strata.unique()]
    return (torch.stack(means).mean() - target).square()


def smoothness_loss(values: Tensor, near: Tensor, weights: Tensor) -> Tensor:
    """Similar items get similar values.

    Args:
        values: (B,) of the items, e.g. alpha or tokens.
        near: (B, k) of their nearest neighbours.
        weights: (B, k) cosines; negative ones count as 0.

    Returns:
        Mean of `(value - neighbour's)^2` weighted by similarity; 0 where nothing is similar.
    """
    weights = weights.clamp_min(0)
    return (weights * (values[:, None] - near).square()).sum() / weights.sum().clamp_min(1e-9)


def budget_loss(budget: Tensor, target: float) -> Tensor:
    """Squared distance of the mean budget (B,) from the target, in tokens squared (ours)."""
    return (budget.mean() - target).square()
