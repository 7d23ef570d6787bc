"""How much does a target count, given how much was known about the user? Pure functions.

Legend: B rows, T positions. `g(n) = low + (high - low) * 2^(-n / half_life)`: `high` for an empty history, half
way to `low` after `half_life` items. A target's weight is g over the mean of g over all training targets, so weights
average to 1 and the effective learning rate stays where it was. That mean is one number for the whole run: it does
not depend on which rows share a batch, so batches of equal histories keep their weight.
Source: METHODS 4; the exponential form is ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from genrec.posttrain.rows import IGNORED


@dataclass
class AdaptiveGradient:
    """Bounds and half-life of the weights.

    Raises:
        ValueError: a setting outside its range.
    """

    low: float = field(default=0.5, metadata={"help": "weight of a very long history, before normalisation"})
    high: float = field(default=2.0, metadata={"help": "weight of an empty history, before normalisation"})
    half_life: float = field(default=5.0, metadata={"help": "items after which half of high - low is gone"})

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high:
            raise ValueError(f"weights need 0 < low <= high, got low {self.low} and high {self.high}")
        if self.half_life <= 0:
            raise ValueError(f"half_life must be positive, got {self.half_life}")

    def weights(self, history_lengths: Tensor) -> Tensor:
        """Weights g in (low, high] of history lengths, any shape, not normalised yet."""
        decay: Tensor = 2.0 ** (-history_lengths.float() / self.half_life)
        return self.low + (self.high - self.low) * decay


def mean_weight(gradient: AdaptiveGradient, lengths: Iterable[Any], labels: Iterable[Sequence[int]]) -> float:
    """Mean of g over all training targets.

    Args:
        gradient: bounds and half-life.
        lengths: per row its history length, or (T,) one per position of a packed row.
        labels: per row (T,), -100 where there is no target; position 0 is none, because nothing predicts it.

    Raises:
        ValueError: no row has a target.
    """
    total, count = 0.0, 0
    for known, row in zip(lengths, labels, strict=True):
        targets = torch.tensor(row[1:]) != IGNORED
        weights = per_target(gradient.weights(torch.tensor(known))[None])[0].double()
        total += float((weights.expand(len(targets)) * targets).sum())
        count += int(targets.sum())
    if not count:
        raise ValueError("no row has a target, so history weights have no mean; check completion_mask")
    return total / count


def weighted_loss(log_probs: Tensor, weights: Tensor, normaliser: Tensor) -> Tensor:
    """Weighted negative log-likelihood over a normaliser that may span further batches and processes.

    Args:
        log_probs: (B, T - 1) of the labels after the first, 0 where there is none.
        weights: (B,) or (B, T).
        normaliser: `mean_weight` times the number of targets of the whole optimizer batch.

    Returns:
        A scalar in nats, to be summed over all parts of the optimizer batch.
    """
    return -(log_probs * per_target(weights)).sum() / normaliser


def per_target(weights: Tensor) -> Tensor:
    """Weights (B,) as (B, 1), weights (B, T) without those of position 0, which is no target."""
    return weights[:, None] if weights.dim() == 1 else weights[:, 1:]
