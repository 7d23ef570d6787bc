"""What is an answer worth? One number per objective, from the item that was written.

Legend: n answers, G answers per group (contiguous), d width of item vectors. Item -1 stands for an answer that is no
item; it earns 0 everywhere.
Source: METHODS 4 (hit, diversity, cold); the forms are ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
IntArray = NDArray[np.int64]


def hit_values(items: ArrayLike, targets: ArrayLike, unit: Floats, near: float = 0.0) -> Floats:
    """1 for the target, `near * max(0, cosine)` for another item.

    Args:
        items: (n,) answered items.
        targets: (n,) true next items.
        unit: (num_items, d) vectors of length 1 (or 0).
        near: reward of a miss that could not be nearer, below 1.

    Returns:
        (n,) in [0, 1].
    """
    answered, wanted = np.asarray(items, dtype=np.int64), np.asarray(targets, dtype=np.int64)
    cosine = np.clip((unit[answered] * unit[wanted]).sum(1), 0.0, 1.0)
    return np.where(answered < 0, 0.0, np.where(answered == wanted, 1.0, near * cosine))


def diversity_values(items: ArrayLike, unit: Floats, group_size: int) -> Floats:
    """One minus the mean cosine of an answer with the other answers of its group.

    Args:
        items: (n,), n a multiple of G.
        unit: (num_items, d).
        group_size: G.

    Returns:
        (n,) in [0, 2]; an answer without another real one beside it gets 1, no item gets 0.
    """
    groups = np.asarray(items, dtype=np.int64).reshape(-1, group_size)
    values = np.zeros(groups.shape)
    for row, group in enumerate(groups):
        real = group >= 0
        cosine = unit[group] @ unit[group].T * real[None, :]
        np.fill_diagonal(cosine, 0.0)
        others = np.maximum(real.sum() - 1, 1)
        values[row] = np.where(real, 1.0 - cosine.sum(1) / others, 0.0)
    return values.ravel()


def cold_values(items: ArrayLike, targets: ArrayLike, unit: Floats, counts: ArrayLike) -> Floats:
    """How rare the answer is, as far as it fits: coldness times its cosine with the target.

    Args:
        items: (n,).
        targets: (n,).
        unit: (num_items, d).
        counts: (num_items,) training interactions; coldness is `1 - log(1 + count) / log(1 + largest)`.

    Returns:
        (n,) in [0, 1].
    """
    answered = np.asarray(items, dtype=np.int64)
    table = np.log1p(np.asarray(counts, dtype=np.float64))
    coldness = 1.0 - table / max(float(table.max(initial=0.0)), 1e-12)
    fit = np.clip((unit[answered] * unit[np.asarray(targets, dtype=np.int64)]).sum(1), 0.0, 1.0)
    return np.where(answered < 0, 0.0, coldness[answered] * fit)


class Spelt:
    """Reads answers back: token ids -> dense item, -1 for anything else.

    Args:
        spellings: tokens of each item, the end token included.
    """

    def __init__(self, spellings: Sequence[Sequence[int]]) -> None:
        self._items = {tuple(int(t) for t in ids): item for item, ids in enumerate(spellings)}
        self._end = int(spellings[0][-1]) if len(spellings) else -1

    def item(self, completion_ids: Sequence[int]) -> int:
        """Item of one completion; what follows the first end token does not count."""
        ids = [int(token) for token in completion_ids]
        cut = ids.index(self._end) + 1 if self._end in ids else len(ids)
        return self._items.get(tuple(ids[:cut]), -1)
