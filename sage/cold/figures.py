"""How good are lists for the new and for the known? One row of figures over all scenes.

Legend: n questions of a scene, K list length.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.metrics.lists import list_table
from genrec.metrics.ranking import ranking_table

IntArray = NDArray[np.int64]


def cold_table(
    ranks: Mapping[str, IntArray],
    lists: Mapping[str, IntArray],
    counts: ArrayLike,
    vectors: ArrayLike | None = None,
    k: int = 10,
    unseen: Mapping[str, IntArray] | None = None,
) -> dict[str, float]:
    """Ranking figures per scene, list figures over all scenes together.

    Args:
        ranks: scene -> (n,) 0-based ranks of the targets, -1 for a miss.
        lists: scene -> (n, K) listed items.
        counts: (num_items,) training interactions; 0 for new items.
        vectors: (num_items, d) item vectors for Div@k, None leaves it out.
        k: list length judged.
        unseen: scene -> (n,) ranks in lists without the user's own history; None leaves these columns out.

    Returns:
        `HR@k_<scene>`, `NDCG@k_<scene>` and `n_<scene>`; `ColdRecall@k`, the hit rate where the target is a new item;
        `NewShare@k`, the share of slots that hold an item without training interactions; and `list_table`. What
        comes from `unseen` ends in `_unseen`. A scene without questions has only its count 0.

    Raises:
        ValueError: the scenes of ranks and lists differ, or nothing was asked.
    """
    if set(ranks) != set(lists):
        raise ValueError(f"ranks are of scenes {sorted(ranks)}, lists of {sorted(lists)}; pass both for each scene")
    table: dict[str, float] = {}
    for scene, values in ranks.items():
        table[f"n_{scene}"] = len(values)
    for ending, found in (("", ranks), ("_unseen", unseen or {})):
        table |= _scene_figures(found, k, ending)
    filled = [rows[:, :k] for rows in lists.values() if len(rows)]
    if not filled:
        raise ValueError("no scene holds a question; lower the shares of new users and items")
    together = np.concatenate(filled)
    listed = together[together >= 0]
    table[f"NewShare@{k}"] = float((np.asarray(counts)[listed] == 0).mean()) if len(listed) else float("nan")
    return table | list_table(together, counts, vectors, k)


def _scene_figures(ranks: Mapping[str, IntArray], k: int, ending: str) -> dict[str, float]:
    """`HR@k` and `NDCG@k` of each scene that was asked something, and `ColdRecall@k`."""
    table: dict[str, float] = {}
    for scene, values in ranks.items():
        if len(values):
            figures = ranking_table(values, (k,))
            table[f"HR@{k}_{scene}{ending}"] = figures[f"Recall@{k}"]
            table[f"NDCG@{k}_{scene}{ending}"] = figures[f"NDCG@{k}"]
    if f"HR@{k}_new_items{ending}" in table:
        table[f"ColdRecall@{k}{ending}"] = table[f"HR@{k}_new_items{ending}"]
    return table
