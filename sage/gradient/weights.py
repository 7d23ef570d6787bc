"""How much does a target count, given how much was known about the user? Pure functions.

Legend: B rows, T positions. `g(n) = low + (high - low) * 2^(-n / half_life)`: `high` for an empty history, half
way to `low` after `half_life` items. The loss is the g-weighted mean over all targets of the optimizer batch, so the
weights average to 1 over it and the effective learning rate stays where it was.
Source: METHODS 4; the exponential form is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


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


def weighted_count(weights: Tensor, labels: Tensor, ignored: int = -100) -> Tensor:
    """Sum over targets of their weight: this batch's part of the normaliser.

    Args:
        weights: (B,) one per row, or (B, T) one per position of a packed row.
        labels: (B, T); position 0 is no target, because nothing predicts it.
        ignored: label of a position without loss.
    """
    return (per_target(weights) * (labels[:, 1:] != ignored)).sum()


def weighted_loss(log_probs: Tensor, weights: Tensor, normaliser: Tensor) -> Tensor:
    """Weighted negative log-likelihood over a normaliser that may span further batches and processes.

    Args:
        log_probs: (B, T - 1) of the labels after the first, 0 where there is none.
        weights: (B,) or (B, T).
        normaliser: sum of `weighted_count` over the whole optimizer batch.

    Returns:
        A scalar in nats; summed over all parts of the optimizer batch it is the weighted mean.
    """
    return -(log_probs * per_target(weights)).sum() / normaliser


def per_target(weights: Tensor) -> Tensor:
    """Weights (B,) as (B, 1), weights (B, T) without those of position 0, which is no target."""
    return weights[:, None] if weights.dim() == 1 else weights[:, 1:]
