"""What if items have two vectors? Text says what an item is, collaborative vectors say who buys it.

Shapes: text (n, dt), collaborative (n, dc), fused (n, dt + dc).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
NEIGHBOURS = 10


def unit_rows(vectors: ArrayLike) -> Floats:
    """Rows of length 1; zero rows stay zero."""
    matrix = np.asarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    units = np.zeros_like(matrix)
    np.divide(matrix, norms, out=units, where=norms > 0)
    return units


def fuse(text: ArrayLike, collaborative: ArrayLike, weight: float = 1.0, known: Iterable[int] | None = None) -> Floats:
    """Concatenate both vectors, each of length 1, the collaborative one times `weight`.

    Args:
        text: (n, dt).
        collaborative: (n, dc).
        weight: length of the collaborative part.
        known: items whose collaborative vector means something; the others get the mean of the nearest known
            texts. `None` means all.

    Returns:
        (n, dt + dc).

    Raises:
        ValueError: numbers of rows differ, no known item, or a negative weight.
    """
    left, right = unit_rows(text), unit_rows(collaborative)
    if len(left) != len(right):
        raise ValueError(f"{len(right)} collaborative vectors for {len(left)} items; pass one row per item")
    if weight < 0:
        raise ValueError(f"collaborative_weight is {weight}, it must not be negative")
    if known is not None:
        right = _imputed(left, right, np.array(sorted(set(known)), dtype=np.int64))
    return np.concatenate([left, np.float32(weight) * right], axis=1)


def _imputed(text: Floats, collaborative: Floats, known: NDArray[np.int64], block: int = 1024) -> Floats:
    """Unknown rows become the mean (again of length 1) of the known rows with the nearest texts."""
    if len(known) == 0:
        raise ValueError("no item has a trained collaborative vector; pass train_items or no vectors at all")
    unknown = np.setdiff1d(np.arange(len(text)), known)
    count = min(NEIGHBOURS, len(known))
    result = collaborative.copy()
    for start in range(0, len(unknown), block):
        rows = unknown[start : start + block]
        order = np.argsort(-(text[rows] @ text[known].T), axis=1, kind="stable")[:, :count]
        result[rows] = unit_rows(collaborative[known][order].mean(axis=1))
    return result
