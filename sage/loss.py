"""How far may a whole answer move in one step? Sequence-level ratios, asymmetric bounds, the clipped objective.

Legend: B completions, T tokens. A mask is 1 at tokens that the policy chose.
Source: METHODS 4 and arXiv 2601.21452. With `eps_boost` 0 and `widen` 0 this is GSPO (arXiv 2507.18071); for one token
per completion it is GRPO.
"""

from __future__ import annotations

import torch
from torch import Tensor


def sequence_ratio(log_probs: Tensor, old_log_probs: Tensor, mask: Tensor) -> Tensor:
    """Geometric mean of the token ratios, exp(mean of log p - log p_old).

    Args:
        log_probs: (B, T) under the policy; gradient flows here.
        old_log_probs: (B, T) under the policy that sampled.
        mask: (B, T).

    Returns:
        (B,); 1 for a completion without chosen tokens.
    """
    gaps = ((log_probs - old_log_probs) * mask).sum(1)
    return (gaps / mask.sum(1).clamp_min(1.0)).exp()


def clip_widths(
    advantages: Tensor, entropy: Tensor, eps: float = 0.2, eps_boost: float = 0.0, widen: float = 0.0
) -> tuple[Tensor, Tensor]:
    """How far below and above 1 a ratio may go.

    Args:
        advantages: (B,).
        entropy: (B,) entropy of the list a completion belongs to, as a share of the largest, in [0, 1].
        eps: clip width of plain GRPO.
        eps_boost: added above 1 where the advantage is positive: rare good answers may grow faster.
        widen: where the advantage is negative the width below 1 is eps * (1 + widen * (1 - entropy)): the more the
            lists have collapsed, the further a bad answer may be pushed down.

    Returns:
        Widths below and above (B,); the ratio is clipped to [1 - below, 1 + above]. Below stays under 1.
    """
    positive = advantages > 0
    below = torch.where(positive, eps, eps * (1 + widen * (1 - entropy.clamp(0, 1))))
    above = torch.where(positive, eps + eps_boost, eps)
    return below.clamp_max(1 - 1e-6).to(advantages.dtype), above.to(advantages.dtype)


def clipped_objective(ratio: Tensor, advantages: Tensor, below: Tensor, above: Tensor) -> Tensor:
    """What is maximised, min(ratio A, clip(ratio, 1 - below, 1 + above) A), all (B,)."""
    return torch.min(ratio * advantages, torch.clamp(ratio, 1 - below, 1 + above) * advantages)


def list_entropy(items: Tensor) -> Tensor:
    """How varied the answers of each group are.

    Args:
        items: (P, G) answered items, any numbers that tell items apart.

    Returns:
        (P,) Shannon entropy of the answers over log G: 0 when all agree, 1 when all differ; 1 for G = 1.
    """
    size = items.shape[1]
    if size == 1:
        return torch.ones(len(items), dtype=torch.float64)
    entropies = []
    for row in items:
        share = torch.unique(row, return_counts=True)[1].double() / size
        entropies.append(-(share * share.log()).sum() / torch.tensor(float(size), dtype=torch.float64).log())
    return torch.stack(entropies)
