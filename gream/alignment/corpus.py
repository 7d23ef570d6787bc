"""What may alignment tasks draw on? Training histories, catalogue texts and chains, with random choices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genrec.data.chains import Chain
from gream.alignment.config import AlignmentConfig
from gream.alignment.teacher import TeacherTable
from gream.prompts import TASKS, Formatter
from gream.prompts.wordings import WORDINGS


@dataclass
class Corpus:
    """Sources of one alignment data set.

    Args:
        histories: per dense user the training items, oldest first.
        formatter: the formatter, which holds catalogue and index.
        chains: dense user -> chains over that user's training items.
        config: the choices.
        teacher: a teacher's candidates, needed where `config.swap_share` or `config.teacher_share` is positive.
    """

    histories: Sequence[np.ndarray]
    formatter: Formatter
    chains: Mapping[int, list[Chain]]
    config: AlignmentConfig
    teacher: TeacherTable | None = None
    _attributes: dict[int, dict[str, list[str]]] = field(default_factory=dict)

    def generator(self, task: str) -> np.random.Generator:
        """Return the task's own generator, so that one task's rows do not depend on another's."""
        return np.random.default_rng([self.config.seed, TASKS.index(task)])

    def select(self, task: str, sources: Sequence[Any], rng: np.random.Generator) -> list[Any]:
        """Apply weight and limit: repeat whole passes, then a random part, in source order.

        Args:
            task: task name.
            sources: users, items or chains.
            rng: the task's generator.
        """
        wanted = round(len(sources) * self.config.weights.get(task, 1.0))
        wanted = min(wanted, self.config.limits.get(task, wanted))
        if not sources or wanted <= 0:
            return []
        passes, rest = divmod(wanted, len(sources))
        extra = np.sort(rng.permutation(len(sources))[:rest])
        return [*list(sources) * passes, *(sources[int(i)] for i in extra)]

    def history(self, user: int, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        """Return a copy of a user's training items, with swapped and left out ones where that is asked for.

        Returns:
            The items, and the place in the training history that each stands at.
        """
        items = np.asarray(self.histories[user], dtype=np.int64)
        if self.teacher is not None and self.config.swap_share > 0:
            items = self.teacher.swap(user, items, self.config.swap_share, rng)
        places = np.arange(len(items))
        if self.config.drop_share > 0:
            places = kept_places(len(items), self.config.drop_share, rng)
        return items[places].tolist(), places.tolist()

    def positions(self, user: int, places: Sequence[int]) -> list[int]:
        """Return the teacher's positions of places in a user's training history."""
        if self.teacher is None:
            return []
        return [int(self.teacher.starts[user]) + place for place in places]

    def pick_wording(self, task: str, rng: np.random.Generator) -> int:
        """Draw a wording: 0 with probability `1 - wording_variety`, else one of the others."""
        others = len(WORDINGS[task]) - 1
        if others == 0 or rng.random() >= self.config.wording_variety:
            return 0
        return 1 + int(rng.integers(others))

    def attributes(self, item: int) -> dict[str, list[str]]:
        """Return an item's attributes, cached."""
        if item not in self._attributes:
            self._attributes[item] = self.formatter.catalogue.attributes(item)
        return self._attributes[item]


def kept_places(length: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """Leave out a share of a history at random, so that no row is seen twice; two items always stay.

    Args:
        length: number of items T.
        share: probability that an item is left out.
        rng: generator of the choice.

    Returns:
        At least min(T, 2) rising places.

    Source: ours; item dropout as in sequence augmentation (CL4SRec's crop and mask, Xie et al. 2022).
    """
    kept = np.flatnonzero(rng.random(length) >= share)
    return kept if len(kept) >= 2 else np.sort(rng.permutation(length)[:2])


def chains_by_user(
    chains: Iterable[Chain] | None, dataset: Any, histories: Sequence[np.ndarray]
) -> dict[int, list[Chain]]:
    """Sort chains by dense user and check that they hold training interactions only.

    Args:
        chains: chains, or None.
        dataset: `Dataset`, for user ids and the catalogue.
        histories: training items per dense user.

    Raises:
        ValueError: when a chain names an unknown user or an item outside that user's training history.
    """
    index = {str(user): dense for dense, user in enumerate(dataset.user_ids)}
    found: dict[int, list[Chain]] = {}
    for number, chain in enumerate(chains or [], start=1):
        if str(chain.user_id) not in index:
            raise ValueError(f"chain {number}: user {chain.user_id!r} is not in the data set; rebuild the chains")
        user = index[str(chain.user_id)]
        known = set(int(item) for item in histories[user])
        for item in (*chain.history, chain.target, *chain.denoised):
            if dataset.catalogue.index_of(item) not in known:
                raise ValueError(
                    f"chain {number}: item {item!r} is not a training item of user {chain.user_id!r}; "
                    "chains may use training interactions only: rebuild them with this split"
                )
        found.setdefault(user, []).append(chain)
    return found
