"""What is in the recommended lists, apart from hits? Coverage, diversity, popularity, entropy, invalid and
duplicates.

Legend: n users, K list length. `items` (n, K) holds dense item indices, best first; -1 marks an empty or
invalid slot.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.metrics.ranking import exact_mean


def _valid(items: ArrayLike, num_items: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Lists as int64 (n, K) and the bool mask (n, K) of slots that hold an item of the catalogue."""
    lists = np.asarray(items, dtype=np.int64)
    if lists.ndim != 2 or lists.size == 0:
        raise ValueError(f"items must be (users, K) and not empty, got shape {lists.shape}")
    return lists, (lists >= 0) & (lists < num_items)


def coverage(items: ArrayLike, num_items: int) -> float:
    """Share of the catalogue that appears in at least one list.

    Args:
        items: (n, K) lists.
        num_items: catalogue size.

    Returns:
        Distinct listed items / num_items, in [0, 1].
    """
    lists, valid = _valid(items, num_items)
    return len(np.unique(lists[valid])) / num_items


def invalid_count(items: ArrayLike, num_items: int) -> int:
    """Slots (of n * K) that hold no item of the catalogue."""
    _, valid = _valid(items, num_items)
    return int((~valid).sum())


def duplicate_count(items: ArrayLike, num_items: int) -> int:
    """Slots that repeat an item already listed for the same user."""
    lists, valid = _valid(items, num_items)
    ordered = np.sort(np.where(valid, lists, -1), axis=1)
    return int(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).sum())


def diversity_values(items: ArrayLike, vectors: ArrayLike) -> NDArray[np.float64]:
    """One minus the mean cosine over all pairs of a list.

    Args:
        items: (n, K) lists.
        vectors: (num_items, d) one vector per item, any scale; zero vectors count as orthogonal to
            everything.

    Returns:
        (n,) diversity of each list in [0, 2], NaN for lists with fewer than two items.
    """
    table = np.asarray(vectors, dtype=np.float64)
    lists, valid = _valid(items, len(table))
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    unit = np.divide(table, norms, out=np.zeros_like(table), where=norms > 0)
    nonzero = norms[:, 0] > 0
    result = np.full(len(lists), np.nan)
    for row in range(len(lists)):
        listed = lists[row, valid[row]]
        size = len(listed)
        if size > 1:  # the square of the sum holds every ordered pair and the squared norms
            total = unit[listed].sum(axis=0)
            cosine = (total @ total - nonzero[listed].sum()) / (size * (size - 1))
            result[row] = 1.0 - cosine
    return result


def diversity(items: ArrayLike, vectors: ArrayLike) -> float:
    """Div@K: mean over lists of one minus the mean pairwise cosine.

    Args:
        items: (n, K) lists; lists with fewer than two items are left out.
        vectors: (num_items, d) one vector per item.

    Returns:
        Mean diversity, NaN when no list has two items.

    Source: seed of SAGE, Div@10 = 1 - mean pairwise cosine.
    """
    values = diversity_values(items, vectors)
    values = values[~np.isnan(values)]
    return exact_mean(values) if len(values) else float("nan")


def mean_popularity(items: ArrayLike, counts: ArrayLike) -> float:
    """Mean number of training interactions of what is listed.

    Args:
        items: (n, K) lists.
        counts: (num_items,) training interactions of each item.

    Returns:
        Mean over all valid slots, NaN when there is none.
    """
    table = np.asarray(counts)
    lists, valid = _valid(items, len(table))
    return exact_mean(table[lists[valid]]) if valid.any() else float("nan")


def exposure_entropy(items: ArrayLike, num_items: int) -> float:
    """Shannon entropy of the distribution of listed items over all lists.

    Args:
        items: (n, K) lists.
        num_items: catalogue size.

    Returns:
        Entropy in bits: 0 when every slot holds the same item, log2(num_items) when all items are equally
        listed.
    """
    lists, valid = _valid(items, num_items)
    counts = np.bincount(lists[valid], minlength=num_items)
    share = np.sort(counts[counts > 0]) / max(1, int(counts.sum()))
    return float(-(share * np.log2(share)).sum()) + 0.0


def list_table(items: ArrayLike, counts: ArrayLike, vectors: ArrayLike | None = None, k: int = 10) -> dict[str, float]:
    """All list figures of one run, over the first k of each list.

    Args:
        items: (n, K) lists, K >= k or shorter lists as they are.
        counts: (num_items,) training interactions of each item.
        vectors: (num_items, d) item vectors for Div@k; without them that column is absent.
        k: list length judged.

    Returns:
        `Coverage@k`, `Popularity@k`, `Entropy@k`, `Div@k`, and the counts `Invalid@k`, `Duplicates@k`,
        `Distinct@k`.
    """
    lists = np.asarray(items, dtype=np.int64)[:, :k]
    num_items = len(np.asarray(counts))
    table: dict[str, float] = {
        f"Coverage@{k}": coverage(lists, num_items),
        f"Popularity@{k}": mean_popularity(lists, counts),
        f"Entropy@{k}": exposure_entropy(lists, num_items),
        f"Invalid@{k}": invalid_count(lists, num_items),
        f"Duplicates@{k}": duplicate_count(lists, num_items),
        f"Distinct@{k}": round(coverage(lists, num_items) * num_items),
    }
    if vectors is not None:
        table[f"Div@{k}"] = diversity(lists, vectors)
    return table
