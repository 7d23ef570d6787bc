"""How do item histories become training batches? Windows, right padding, next-item targets.

Legend: B sequences, L longest of the batch. Item ids are dense; padding of inputs is `pad_item`, of targets
-1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

IntArray = NDArray[np.int64]
Batch = dict[str, Tensor]


def next_item_windows(histories: Sequence[IntArray], max_history: int) -> list[IntArray]:
    """Cut histories into windows of inputs and next-item targets.

    Args:
        histories: dense items per user, oldest first.
        max_history: most inputs per window.

    Returns:
        Windows of 2 to max_history + 1 items, cut from the end and overlapping by one item: every item but a
        user's
        first is a target exactly once. Histories with fewer than 2 items give none.
    """
    windows = []
    for history in histories:
        end = len(history)
        while end >= 2:
            windows.append(np.asarray(history[max(0, end - max_history - 1) : end], dtype=np.int64))
            end -= max_history
    return windows


def pad_right(sequences: Sequence[IntArray], fill: int) -> Tensor:
    """Sequences as one int64 tensor (B, L), filled up on the right."""
    width = max(1, max((len(sequence) for sequence in sequences), default=1))
    table = np.full((len(sequences), width), fill, dtype=np.int64)
    for row, sequence in enumerate(sequences):
        table[row, : len(sequence)] = sequence
    return torch.from_numpy(table)


def next_item_collator(pad_item: int) -> Callable[[Sequence[IntArray]], Batch]:
    """Make the function that turns windows into a batch.

    Args:
        pad_item: id written into padded inputs.

    Returns:
        Function from windows to `inputs` (B, L) and `targets` (B, L), the item after each input, -1 at
        padding.
    """

    def collate(windows: Sequence[IntArray]) -> Batch:
        return {
            "inputs": pad_right([window[:-1] for window in windows], pad_item),
            "targets": pad_right([window[1:] for window in windows], -1),
        }

    return collate
