"""At which rank did the model put the target? Ranks, Recall@K, NDCG@K.

Legend: n users, K list length. Ranks are 0-based, -1 is a miss. Sums are exact (`math.fsum`), so results
depend
neither on the order of users nor on how many processes gathered them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

DEFAULT_KS = (1, 3, 5, 10, 20, 50)


def exact_mean(values: ArrayLike) -> float:
    """Mean that does not depend on the order of values (n,); raises ValueError when there are none."""
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError("the mean of no values is undefined: no user was evaluated")
    return math.fsum(array.tolist()) / array.size


def ranks_from_scores(
    scores: ArrayLike, targets: ArrayLike, exclude: Sequence[ArrayLike] | None = None
) -> NDArray[np.int64]:
    """Rank of each target among all items; among equal scores the target comes last (pessimistic).

    Args:
        scores: (n, num_items) higher is better; not changed.
        targets: (n,) dense item index of each target.
        exclude: per row, items taken out of the ranking (for instance the user's history).

    Returns:
        (n,) ranks, -1 where the target itself is excluded.

    Raises:
        ValueError: shapes that do not match, or a NaN score.
    """
    table = np.asarray(scores)
    wanted = np.asarray(targets, dtype=np.int64)
    if table.ndim != 2 or wanted.shape != (len(table),):
        raise ValueError(f"scores must be (n, num_items) and targets (n,), got {table.shape} and {wanted.shape}")
    if np.isnan(table).any():
        raise ValueError(f"row {int(np.argmax(np.isnan(table).any(axis=1)))} of scores holds NaN: the model diverged")
    goal = table[np.arange(len(table)), wanted]
    ranks: NDArray[np.int64] = (table >= goal[:, None]).sum(axis=1).astype(np.int64) - 1
    for row, items in enumerate(exclude or ()):
        gone = np.unique(np.asarray(items, dtype=np.int64))
        ranks[row] = -1 if wanted[row] in gone else ranks[row] - int((table[row, gone] >= goal[row]).sum())
    return ranks


def ranks_from_lists(items: ArrayLike, targets: ArrayLike) -> NDArray[np.int64]:
    """Rank of each target in its list.

    Args:
        items: (n, K) recommended items, best first, -1 where a slot is empty or invalid.
        targets: (n,) dense item index of each target.

    Returns:
        (n,) first position of the target, -1 where the list lacks it.

    Raises:
        ValueError: shapes that do not match, or a negative target.
    """
    lists = np.asarray(items, dtype=np.int64)
    wanted = np.asarray(targets, dtype=np.int64)
    if lists.ndim != 2 or wanted.shape != (len(lists),):
        raise ValueError(f"items must be (n, K) and targets (n,), got {lists.shape} and {wanted.shape}")
    if (wanted < 0).any():
        raise ValueError(f"target of row {int(np.argmax(wanted < 0))} is negative; -1 marks empty slots, not items")
    hits = lists == wanted[:, None]
    return np.where(hits.any(axis=1), hits.argmax(axis=1), -1).astype(np.int64)


def recall_values(ranks: ArrayLike, k: int) -> NDArray[np.float64]:
    """Per user 1 where the target is among the first k, else 0; shape (n,)."""
    rank = np.asarray(ranks)
    hits: NDArray[np.float64] = ((rank >= 0) & (rank < k)).astype(np.float64)
    return hits


def ndcg_values(ranks: ArrayLike, k: int) -> NDArray[np.float64]:
    """Per user `1 / log2(rank + 2)` where the target is among the first k, else 0; shape (n,)."""
    rank = np.asarray(ranks, dtype=np.int64)
    return np.asarray(recall_values(rank, k) / np.log2(np.maximum(rank, 0) + 2.0), dtype=np.float64)


def recall_at_k(ranks: ArrayLike, k: int) -> float:
    """Share of users whose target is among the first k (one target each, so also the hit rate).

    Args:
        ranks: (n,) 0-based ranks, -1 for a miss.
        k: cut-off, at least 1.

    Returns:
        Recall@k in [0, 1].

    Raises:
        ValueError: no user, or k below 1.
    """
    return exact_mean(recall_values(ranks, _checked_k(k)))


def ndcg_at_k(ranks: ArrayLike, k: int) -> float:
    """Mean of `1 / log2(rank + 2)` over users, 0 beyond k (one target each, so the ideal gain is 1).

    Args:
        ranks: (n,) 0-based ranks, -1 for a miss.
        k: cut-off, at least 1.

    Returns:
        NDCG@k in [0, 1].

    Raises:
        ValueError: no user, or k below 1.
    """
    return exact_mean(ndcg_values(ranks, _checked_k(k)))


def ranking_table(ranks: ArrayLike, ks: Sequence[int] = DEFAULT_KS, *, unseen: bool = False) -> dict[str, float]:
    """All ranking figures of one run.

    Args:
        ranks: (n,) 0-based ranks, -1 for a miss.
        ks: cut-offs.
        unseen: the ranks come from lists without the user's own history: names end in `_unseen`.

    Returns:
        `{"Recall@1": ..., "NDCG@1": ..., ...}` in the order of `ks`.
    """
    ending = "_unseen" if unseen else ""
    table: dict[str, float] = {}
    for k in ks:
        table[f"Recall@{k}{ending}"] = recall_at_k(ranks, k)
        table[f"NDCG@{k}{ending}"] = ndcg_at_k(ranks, k)
    return table


def _checked_k(k: int) -> int:
    """K itself when it is at least 1."""
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return k
