"""In which order are examples seen? A pure function of seed and epoch, for any number of processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

POOL_BATCHES = 32


@dataclass(frozen=True)
class BatchPlan:
    """Global batches of every epoch.

    Attributes:
        num_examples: number of examples.
        batch_size: examples per global batch; the last batch of an epoch may be smaller, none is dropped.
        seed: seed of the order.
        lengths: length of each example; with it, batches hold examples of similar length (less padding).
    """

    num_examples: int
    batch_size: int
    seed: int
    lengths: Sequence[int] | None = None

    @property
    def batches_per_epoch(self) -> int:
        """Number of global batches of an epoch."""
        return -(-self.num_examples // self.batch_size)

    def epoch(self, epoch: int) -> list[NDArray[np.int64]]:
        """Example indices of every global batch of an epoch.

        Args:
            epoch: 0-based epoch.

        Returns:
            `batches_per_epoch` index arrays that together hold each example once, in random order. With
            lengths,
            pools of 32 random batches are sorted by length before they are cut, and the batches shuffled
            again.
        """
        random = np.random.default_rng((self.seed, epoch))
        order = random.permutation(self.num_examples)
        if self.lengths is None:
            return self._cut(order)
        lengths = np.asarray(self.lengths)
        pool = self.batch_size * POOL_BATCHES
        pools = [order[start : start + pool] for start in range(0, len(order), pool)]
        batches = self._cut(np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in pools]))
        return [batches[index] for index in random.permutation(len(batches))]

    def _cut(self, order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Consecutive batches of an order."""
        return [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]


def local_share(batch: NDArray[np.int64], rank: int, world_size: int) -> tuple[NDArray[np.int64], bool]:
    """This process's part of a global batch.

    Args:
        batch: global example indices.
        rank: this process.
        world_size: number of processes.

    Returns:
        Local indices, and whether they count: a process left without examples gets the first one, with weight
        zero,
        so that every process takes part in every step.
    """
    mine = batch[rank::world_size]
    return (mine, True) if len(mine) else (batch[:1], False)
