"""How does an item that nobody has chosen yet get into a list? By its description, in slots of its own.

A generator that was trained on interactions gives names it never wrote a low probability. So the last slots of a list
can be kept for new items whose text vectors lie nearest to what the user chose.
Legend: n histories, K list length, d width of item vectors.
Source: METHODS 4 (item vectors from the encoding of the description make new items recommendable); the slots are ours.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np
from numpy.typing import ArrayLike, NDArray

IntArray = NDArray[np.int64]


def with_fresh(
    items: ArrayLike,
    histories: Sequence[Sequence[int] | IntArray],
    vectors: ArrayLike,
    new_items: Sequence[int],
    slots: int,
    exclude: Sequence[Set[int]] | None = None,
    decay: float = 0.8,
) -> IntArray:
    """Lists whose last slots hold new items.

    Args:
        items: (n, K) lists, best first, -1 padded.
        histories: dense items, oldest first; an empty history keeps its list.
        vectors: (num_items, d) text vectors.
        new_items: items without training interactions.
        slots: kept for new items, at most K; a list that holds so many already stays as it is.
        exclude: per history, items that must not be listed.
        decay: weight of an item of the history relative to the one after it.

    Returns:
        (n, K) lists without repetition.

    Raises:
        ValueError: a number of slots outside 0 ... K.
    """
    lists = np.array(items, dtype=np.int64)
    if not 0 <= slots <= lists.shape[1]:
        raise ValueError(f"fresh must be 0 ... {lists.shape[1]} slots, got {slots}")
    pool = np.asarray(sorted(set(new_items)), dtype=np.int64)
    table = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    unit = np.divide(table, norms, out=np.zeros_like(table), where=norms > 0)
    for row, history in enumerate(histories):
        listed = lists[row]
        missing = slots - int(np.isin(listed, pool).sum())
        if missing <= 0 or len(history) == 0 or len(pool) == 0:
            continue
        ages = np.arange(len(history) - 1, -1, -1)
        likeness = unit[pool] @ ((decay**ages) @ unit[np.asarray(history, dtype=np.int64)])
        banned = [*listed.tolist(), *(exclude[row] if exclude is not None else ())]
        order = [int(i) for i in pool[np.argsort(-likeness, kind="stable")] if i not in banned][:missing]
        known = [int(i) for i in listed if i >= 0 and i not in pool]
        kept = set(known[: max(0, lists.shape[1] - slots)]) | set(listed[np.isin(listed, pool)].tolist())
        merged = [int(i) for i in listed if int(i) in kept] + order
        lists[row] = [*merged, *[-1] * (lists.shape[1] - len(merged))][: lists.shape[1]]
    return lists
