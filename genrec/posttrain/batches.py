"""Which rows share a batch? Deterministic orders for samplers, rows of like length together where wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

_MEGA_BATCHES = 50


def shuffled_batches(
    rows: np.ndarray, batch_size: int, rng: np.random.Generator, lengths: np.ndarray | None = None
) -> list[list[int]]:
    """Shuffle rows into full batches.

    Args:
        rows: row numbers (n,).
        batch_size: rows per batch.
        rng: generator of the order.
        lengths: tokens of every row of the table, indexed by row number; when given, groups of 50 shuffled
            batches are sorted by length before they are cut, and the batches are shuffled again.

    Returns:
        ceil(n / batch_size) batches of exactly `batch_size` rows; the tail is filled with the first rows of
        the order.

    Source: ours; the grouping is that of transformers' LengthGroupedSampler.
    """
    if len(rows) == 0:
        return []
    order = rng.permutation(rows)
    missing = -len(order) % batch_size
    order = np.concatenate([order, np.resize(order, missing)])
    if lengths is None:
        return [[int(row) for row in batch] for batch in order.reshape(-1, batch_size)]
    mega = batch_size * _MEGA_BATCHES
    groups = [order[start : start + mega] for start in range(0, len(order), mega)]
    ordered = np.concatenate([group[np.argsort(-lengths[group], kind="stable")] for group in groups])
    batches = ordered.reshape(-1, batch_size)
    return [[int(row) for row in batch] for batch in batches[rng.permutation(len(batches))]]


class LengthGroupedSampler(Sampler[int]):
    """Row numbers of one epoch in batches of like length; the order depends on seed and epoch only.

    transformers' own sampler of this kind draws from the global generator: its order changes after a resume.

    Args:
        lengths: tokens per row.
        batch_size: rows of a global optimizer batch.
        seed: seed of the order.
    """

    covers_all_epochs = False

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int = 0) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the rows of an epoch; the last batch is filled."""
        return -(-len(self.lengths) // self.batch_size) * self.batch_size

    def __iter__(self) -> Iterator[int]:
        """Yield row numbers."""
        rng = np.random.default_rng([self.seed, 3, self.epoch])
        for batch in shuffled_batches(np.arange(len(self.lengths)), self.batch_size, rng, self.lengths):
            yield from batch
