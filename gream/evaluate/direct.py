"""How good is direct mode? Ranking figures over every user, by trie beam over the full catalogue.

Legend: n users, K longest list. `items` (n, K) dense indices, -1 where a list is shorter.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.data.split import Targets
from genrec.metrics.groups import group_masks, group_table
from genrec.metrics.lists import duplicate_count, invalid_count, list_table
from genrec.metrics.ranking import DEFAULT_KS, ndcg_values, ranking_table, ranks_from_lists
from genrec.metrics.uncertainty import mean_ci

if TYPE_CHECKING:
    from gream.recommend import GreamRecommender


@dataclass
class DirectResult:
    """Direct mode, judged.

    Attributes:
        row: One row of metrics.json.
        items: (n, K) lists, best first.
        ranks: (n,) rank of each target, -1 for a miss; the input of paired tests.
    """

    row: dict[str, Any]
    items: NDArray[np.int64]
    ranks: NDArray[np.int64] = field(repr=False)


def evaluate_direct(
    recommender: GreamRecommender,
    targets: Targets,
    *,
    popularity: ArrayLike | None = None,
    vectors: ArrayLike | None = None,
    ks: Sequence[int] = DEFAULT_KS,
    num_beams: int = 50,
    unseen: bool = True,
    batch_size: int = 32,
    system: str = "GREAM",
    stage: str = "",
    seed: int = 0,
    progress: bool = False,
) -> DirectResult:
    """Rank the full catalogue for every user by trie beam search.

    Args:
        recommender: The checkpoint.
        targets: n questions with known answers; none is dropped.
        popularity: (num_items,) training counts, for popularity, head and tail; left out without it.
        vectors: (num_items, d) item vectors for Div@10; left out without them.
        ks: Cut-offs.
        num_beams: Beam width; a beam below the longest list is widened to it, never lowered.
        unseen: Also rank with each user's own history taken out of the trie (`_unseen` columns).
        batch_size: Prompts per forward pass.
        system: Row label.
        stage: Row label, e.g. "align".
        seed: Row label.
        progress: Show a bar.

    Returns:
        The row, the lists and the ranks.

    Raises:
        ValueError: There is no user to judge.
    """
    if len(targets) == 0:
        raise ValueError("there is no user to evaluate: the split's targets are empty; check the dataset's k-core")
    width = min(max(ks), len(recommender.catalogue))
    beams = max(num_beams, width)
    started = time.perf_counter()
    options: dict[str, Any] = {"batch_size": batch_size, "progress": progress}
    items, _ = recommender.rank_direct(targets.histories, width, beams, **options)
    seconds = time.perf_counter() - started
    ranks, ranks_unseen = ranks_from_lists(items, targets.targets), None
    if unseen:
        left, _ = recommender.rank_direct(targets.histories, width, beams, exclude_history=True, **options)
        ranks_unseen = ranks_from_lists(left, targets.targets)
    row: dict[str, Any] = {"system": system, "stage": stage, "mode": "direct", "seed": seed}
    row |= ranking_figures(
        targets,
        ranks,
        items,
        ranks_unseen,
        num_items=len(recommender.catalogue),
        popularity=popularity,
        vectors=vectors,
        ks=ks,
    )
    speed = len(targets) / seconds
    row |= {"num_beams": beams, "seconds": round(seconds, 2), "users_per_second": round(speed, 1)}
    return DirectResult(row, items, ranks)


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
