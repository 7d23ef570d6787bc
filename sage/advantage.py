"""How do several objectives become one advantage? Normalised per group, weighed, normalised over the batch.

Legend: R objectives, P groups of G completions, N = P * G.
Source: METHODS 4 and arXiv 2601.21452; the limit is ours to hold: one objective with weight 1 and no batch step gives
GRPO's advantage.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

EPS = 1e-4  # TRL's


def group_normalised(rewards: Tensor, eps: float = EPS, least: Tensor | float = 0.0) -> Tensor:
    """(reward - mean) / (std + eps) within each group, unbiased std.

    Args:
        rewards: (..., G).
        eps: added to the standard deviation.
        least: (..., 1) or a number, below which no group's deviation counts.

    Returns:
        (..., G); zero where all rewards of a group agree.
    """
    deviation = torch.maximum(rewards.std(-1, keepdim=True), torch.as_tensor(least).to(rewards))
    return (rewards - rewards.mean(-1, keepdim=True)) / (deviation + eps)


def batch_normalised(values: Tensor, eps: float = EPS) -> Tensor:
    """(value - mean) / (std + eps) over all N values of the batch, any shape."""
    return (values - values.mean()) / (values.std() + eps)


def combined_advantage(
    rewards: Tensor,
    weights: Sequence[float],
    normalise_batch: bool = True,
    eps: float = EPS,
    decided: Tensor | None = None,
) -> Tensor:
    """One advantage per completion.

    Args:
        rewards: (R, P, G), one layer per objective.
        weights: R weights.
        normalise_batch: also bring the sum to mean 0 and deviation 1 over the batch.
        eps: added to standard deviations.
        decided: (R, P), True for groups that are normalised by their own deviation. In the others nobody reached what
            the objective is about; their deviation counts no less than the batch's, so that small differences among
            misses do not weigh as much as a hit. None = all decided.

    Returns:
        (P, G).

    Raises:
        ValueError: weights for another number of objectives.
    """
    if rewards.dim() != 3 or len(weights) != len(rewards):
        raise ValueError(f"{len(weights)} weights for rewards of shape {tuple(rewards.shape)}; give one per objective")
    scale = torch.tensor(list(weights), dtype=rewards.dtype, device=rewards.device)[:, None, None]
    least: Tensor | float = 0.0
    if decided is not None:
        spread = rewards.flatten(1).std(1)[:, None, None]
        least = torch.where(decided[:, :, None], torch.zeros_like(spread), spread)
    total = (scale * group_normalised(rewards, eps, least)).sum(0)
    return batch_normalised(total, eps) if normalise_batch else total
