"""Which figures does a row of metrics.json hold? The same for every system, so that rows can be compared.

Legend: n users, K longest list. `items` (n, K) dense indices, -1 where a list is shorter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.data.split import Targets
from genrec.metrics.groups import group_masks, group_table
from genrec.metrics.lists import duplicate_count, invalid_count, list_table
from genrec.metrics.ranking import DEFAULT_KS, ndcg_values, ranking_table
from genrec.metrics.uncertainty import mean_ci


def ranking_figures(
    targets: Targets,
    ranks: NDArray[np.int64],
    items: NDArray[np.int64],
    ranks_unseen: NDArray[np.int64] | None = None,
    *,
    num_items: int,
    popularity: ArrayLike | None = None,
    vectors: ArrayLike | None = None,
    ks: Sequence[int] = DEFAULT_KS,
) -> dict[str, Any]:
    """All figures of one ranking; the same for GREAM and for a baseline, so that rows can be compared.

    Args:
        targets: n questions.
        ranks: (n,) 0-based rank of each target, -1 for a miss.
        items: (n, K) lists, best first.
        ranks_unseen: (n,) ranks without the user's own history; left out without them.
        num_items: Catalogue size.
        popularity: (num_items,) training counts; without them no popularity, head and tail.
        vectors: (num_items, d) item vectors; without them no Div@10.
        ks: Cut-offs.

    Returns:
        Columns of metrics.json.
    """
    row: dict[str, Any] = {"n_users": len(targets), **ranking_table(ranks, ks), **_interval(ranks)}
    if ranks_unseen is not None:
        row |= ranking_table(ranks_unseen, ks, unseen=True)
    row |= _list_figures(items, num_items, popularity, vectors)
    if popularity is not None:
        lengths = [len(history) for history in targets.histories]
        row |= group_table(ranks, group_masks(lengths, targets.targets, popularity))
    return row


def _interval(ranks: NDArray[np.int64]) -> dict[str, float]:
    """Bootstrap interval of NDCG@10 over users."""
    interval = mean_ci(ndcg_values(ranks, 10))
    return {"NDCG@10_low": interval.low, "NDCG@10_high": interval.high}


def _list_figures(
    items: NDArray[np.int64], num_items: int, popularity: ArrayLike | None, vectors: ArrayLike | None
) -> dict[str, float]:
    """What the lists are made of; invalid and duplicate slots are counted over the whole list."""
    counts = np.zeros(num_items) if popularity is None else popularity
    table = list_table(items, counts, vectors)
    if popularity is None:
        table.pop("Popularity@10")
    table = {name: value for name, value in table.items() if not name.startswith(("Invalid", "Duplicates"))}
    return {
        **table,
        "invalid": invalid_count(items, num_items),
        "duplicates": duplicate_count(items, num_items),
    }
