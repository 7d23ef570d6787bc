"""How do codes become the numbered nodes of a tree? Checks, and the breadth-first numbering.

Legend: N nodes, E = N - 1 edges, H longest code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

IntArray = NDArray[np.int64]
SmallArray = NDArray[np.int32]

ROOT = 0
PAD = -1
LARGEST = 2**31 - 2


def checked_codes(codes: ArrayLike) -> SmallArray:
    """Codes as an int32 table without useless trailing columns.

    Args:
        codes: (num_items, H) symbols, -1 padded at the end.

    Returns:
        (num_items, H') int32.

    Raises:
        ValueError: no item, a symbol out of range, an empty code or a hole; the item is named.
    """
    table = np.asarray(codes)
    if table.ndim != 2 or table.size == 0 or not np.issubdtype(table.dtype, np.integer):
        raise ValueError(
            f"codes must be a non-empty (num_items, H) table of integers, got shape {table.shape}, dtype {table.dtype}"
        )
    if table.min() < PAD or table.max() > LARGEST:
        item = int(np.argwhere((table < PAD) | (table > LARGEST))[0, 0])
        bad = table[item][(table[item] < PAD) | (table[item] > LARGEST)][0]
        raise ValueError(f"item {item} has the symbol {bad}; symbols are 0 .. {LARGEST} and only -1 pads")
    table = table.astype(np.int32)
    holes = (table[:, 1:] >= 0) & (table[:, :-1] < 0)
    if holes.any() or (table[:, 0] < 0).any():
        item = int(np.argmax(holes.any(axis=1) | (table[:, 0] < 0)))
        raise ValueError(
            f"item {item} has the code {table[item].tolist()}; -1 may only pad the end and no code is empty"
        )
    return table[:, : int((table >= 0).sum(axis=1).max())]


def count_leaves(paths: SmallArray, num_nodes: int) -> SmallArray:
    """Items below every node (N,), level by level so that no copy of all paths is made."""
    counts = np.zeros(num_nodes, dtype=np.int32)
    for level in range(paths.shape[1]):
        column = paths[:, level]
        counts += np.bincount(column[column >= 0], minlength=num_nodes).astype(np.int32)
    counts[ROOT] = len(paths)
    return counts


def number_nodes(sorted_table: SmallArray) -> tuple[SmallArray, SmallArray, SmallArray]:
    """Number the nodes of lexicographically sorted codes breadth first.

    Args:
        sorted_table: (num_items, H) codes in lexicographic order, -1 padded.

    Returns:
        Paths (num_items, H) -1 padded; parents (E,) and symbols (E,) of edge e, which leads to node e + 1.
    """
    num_items, depth = sorted_table.shape
    paths = np.full((num_items, depth), -1, dtype=np.int32)
    above = np.zeros(num_items, dtype=np.int32)
    parents, symbols = [], []
    offset = 1
    for level in range(depth):
        column = sorted_table[:, level]
        real = column >= 0
        new = real.copy()
        new[1:] &= (above[1:] != above[:-1]) | (column[1:] != column[:-1])
        paths[:, level] = np.where(real, offset + np.cumsum(new) - 1, -1)
        parents.append(above[new])
        symbols.append(column[new])
        offset += int(new.sum())
        above = np.where(real, paths[:, level], -1 - np.arange(num_items, dtype=np.int32))
    return paths, np.concatenate(parents), np.concatenate(symbols)


def check_unique_ends(table: SmallArray, order: IntArray) -> None:
    """Raise when a code equals another or begins another; sorted neighbours are enough to see it."""
    first, second = table[order[:-1]], table[order[1:]]
    begins = ((first == second) | (first < 0)).all(axis=1)
    if not begins.any():
        return
    where = int(np.argmax(begins))
    a, b = int(order[where]), int(order[where + 1])
    code = table[a][table[a] >= 0].tolist()
    if (table[a] == table[b]).all():
        raise ValueError(f"items {a} and {b} share the code {code}; make the codes unique (genrec.sid.unique) first")
    raise ValueError(f"the code {code} of item {a} is a prefix of the code of item {b}; add a suffix code to item {a}")
