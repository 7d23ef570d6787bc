"""Which lists can be made from one search? A scene's candidates, over all items and without the history.

Legend: n questions, C candidates, K list length.
"""

from __future__ import annotations

from typing import Any

from genrec.backbones.rank import IdRanking
from genrec.data.split import Targets
from genrec.metrics.ranking import ranks_from_lists
from sage.recommend import SageRecommender


class Searched:
    """The candidates of a scene; beam search is the cost of judging, choosing among candidates is cheap.

    Args:
        recommender: the generator.
        asked: n questions.
        num_beams: C.
    """

    def __init__(self, recommender: SageRecommender, asked: Targets, num_beams: int) -> None:
        self.recommender, self.asked = recommender, asked
        self.histories = [set(history.tolist()) for history in asked.histories]
        self.found = recommender.search(asked.histories, num_beams, progress=True)
        self.found_unseen = recommender.search(asked.histories, num_beams, self.histories, progress=True)

    def ranking(self, k: int, **options: Any) -> IdRanking:
        """Ranks and lists in both columns.

        Args:
            k: K, at most C.
            options: of `SageRecommender.choose`: diversity, method, fresh.

        Returns:
            A target beyond K is a miss, -1: a generator ranks what it lists.
        """
        choose, asked = self.recommender.choose, self.asked
        items, _ = choose(asked.histories, self.found, k, **options)
        unseen, _ = choose(asked.histories, self.found_unseen, k, exclude=self.histories, **options)
        ranks = [ranks_from_lists(lists, asked.targets) for lists in (items, unseen)]
        return IdRanking(ranks[0], ranks[1], items, unseen)
