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
from genrec.metrics.figures import ranking_figures
from genrec.metrics.ranking import DEFAULT_KS, ranks_from_lists

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
