"""What did training tell about each item? The router's features.

Legend: n items. Everything comes from training interactions only.
Source: METHODS 3 (`[log(1 + freq), age, sparsity, uncertainty]`); how each is measured is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class ItemUsage:
    """Counts per item.

    Attributes:
        counts: (n,) training interactions.
        age: (n,) in [0, 1]: 1 for items there from the beginning, 0 for those that came last or never.
        neighbours: (n,) distinct items that stood next to it in a history.
    """

    counts: IntArray
    age: Floats
    neighbours: IntArray

    def features(self) -> Floats:
        """Router inputs (n, 4), each in [0, 1].

        Log frequency (1 = most frequent), age, sparsity (1 = never beside another item) and uncertainty of the
        collaborative vector, `1 / sqrt(1 + count)`: how a mean over `count` events errs.
        """
        frequency = _share_of_largest(np.log1p(self.counts))
        sparsity = 1 - _share_of_largest(np.log1p(self.neighbours))
        uncertainty = 1 / np.sqrt(1 + self.counts)
        return np.stack([frequency, self.age, sparsity, uncertainty], axis=1).astype(np.float32)

    def reliability(self, least: float = 0.1) -> Floats:
        """How much the collaborative vector says, `c / (c + median)` kept in [least, 1 - least]: 0.5 at the median.

        Source: ours, a shrinkage weight; the median is that of items with an interaction.
        """
        seen = self.counts[self.counts > 0]
        half = float(np.median(seen)) if len(seen) else 1.0
        return np.clip(self.counts / (self.counts + half), least, 1 - least).astype(np.float32)

    def strata(self, number: int = 4) -> IntArray:
        """Popularity stratum (n,) of each item, 0 = least popular, of nearly equal sizes; ties by item number."""
        order = np.argsort(self.counts, kind="stable")
        result = np.empty(len(order), dtype=np.int64)
        result[order] = np.arange(len(order)) * number // max(len(order), 1)
        return result


def item_usage(train: Sequence[IntArray], num_items: int, timestamps: Sequence[IntArray] | None = None) -> ItemUsage:
    """Count what training histories say about each item.

    Args:
        train: per user, dense items oldest first.
        num_items: n.
        timestamps: per user, unix seconds of the history, as long as the training part or longer; without them the
            place within a history stands in for time.

    Raises:
        ValueError: fewer timestamps than interactions.
    """
    counts, first = np.zeros(num_items, dtype=np.int64), np.full(num_items, np.inf)
    pairs: set[tuple[int, int]] = set()
    for user, history in enumerate(train):
        moments = _moments(user, history, timestamps)
        np.add.at(counts, history, 1)
        np.minimum.at(first, history, moments)
        for a, b in zip(history[:-1].tolist(), history[1:].tolist(), strict=True):
            if a != b:
                pairs |= {(a, b), (b, a)}
    neighbours = np.bincount([a for a, _ in pairs], minlength=num_items).astype(np.int64)
    return ItemUsage(counts, _age(first), neighbours)


def _moments(user: int, history: IntArray, timestamps: Sequence[IntArray] | None) -> ArrayLike:
    """When a user's events happened, (t,)."""
    if timestamps is None:
        return np.arange(len(history), dtype=np.float64)
    if len(timestamps[user]) < len(history):
        raise ValueError(f"user {user} has {len(history)} interactions but {len(timestamps[user])} timestamps")
    return np.asarray(timestamps[user][: len(history)], dtype=np.float64)


def _age(first: NDArray[np.float64]) -> Floats:
    """Moments of first appearance (n,), inf for never, as ages in [0, 1]."""
    known = np.isfinite(first)
    if not known.any():
        return np.zeros(len(first), dtype=np.float32)
    start, end = first[known].min(), first[known].max()
    span = end - start if end > start else 1.0
    return np.where(known, (end - np.where(known, first, end)) / span, 0.0).astype(np.float32)


def _share_of_largest(values: NDArray[np.floating]) -> NDArray[np.floating]:  # type: ignore[type-arg]
    """Values over their largest; zeros stay zeros."""
    largest = values.max(initial=0.0)
    return values / largest if largest > 0 else values
