"""Does answering back help? Users with hidden preferences talk to the recommender for a few turns.

A simulated user wants one item (the test target) and never names it. When it is not in the list, the user says one true
thing that tells the target from what was listed: a value that it lacks or that all listed items have, or its price.
Only the user knows the target; the recommender sees words and the history.
Source: METHODS 5 (gain after feedback); the critiquing user is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genrec.data.split import Targets
from llmrec.generative.feedback.state import ConversationState
from llmrec.generative.feedback.wishes import Wishes
from llmrec.generative.recommender import GenerativeRecommender
from llmrec.generative.records import Record, Records, Words


@dataclass
class Simulated:
    """What came of the conversations.

    Attributes:
        ranks: (n, turns + 1) rank of the target in each turn's list, -1 for a miss; column 0 is before any feedback.
        messages: per user, what was said.
    """

    ranks: NDArray[np.int64]
    messages: list[list[str]]


class SimulatedUser:
    """Someone who wants one item and criticises lists that lack it.

    Args:
        records: the catalogue's records.
        target: dense item.
    """

    def __init__(self, records: Records, target: int) -> None:
        self.records, self.target = records, records[target]
        self.said: set[Words] = set()

    def feedback(self, listed: Sequence[int]) -> str | None:
        """One sentence about a list; None when there is nothing left to say."""
        others = [self.records[item] for item in listed]
        if (wanted := self._missing(others)) is not None:
            return wanted
        if (unwanted := self._unwanted(others)) is not None:
            return unwanted
        price = self.target.price
        if price is not None and () not in self.said and any(r.price and r.price > 1.25 * price for r in others):
            self.said.add(())
            return f"under {1.25 * price:.2f}"
        return None

    def _missing(self, others: Sequence[Record]) -> str | None:
        """A value of the target that fewest listed items have, not said before; None when all of them have all."""
        open_values = [k for k in self.target.values if k not in self.said and k in self.records.lexicon]
        counts = {key: sum(key in other.values for other in others) for key in open_values}
        lacking = [key for key in open_values if counts[key] < len(others)]
        if not lacking:
            return None
        key = min(lacking, key=lambda k: (counts[k], -self.records.frequency[k], k))  # the broadest of the rarest
        self.said.add(key)
        return f"more {self.target.values[key].text}"

    def _unwanted(self, others: Sequence[Record]) -> str | None:
        """A value that most listed items have and the target has not."""
        values = {key: value for other in others for key, value in other.values.items()}
        foreign = [
            k for k in values if k not in self.target.values and k not in self.said and k in self.records.lexicon
        ]
        if not foreign:
            return None
        key = max(foreign, key=lambda k: (sum(k in other.values for other in others), k))
        self.said.add(key)
        return f"not {values[key].text}"


def simulate(
    recommender: GenerativeRecommender, targets: Targets, turns: int = 3, k: int = 10, vector_only: bool = False
) -> Simulated:
    """Let every user talk for a few turns; a user whose target was listed stays satisfied and says no more.

    Args:
        recommender: who is talked to; its writer takes no part, only retrieval and feedback do.
        targets: n users with their hidden targets.
        turns: messages at most.
        k: items per list.
        vector_only: leave the hard constraints out, so that only the vector update acts (ablation).
    """
    ids = recommender.catalogue.item_ids
    ranks = np.full((len(targets), turns + 1), -1, dtype=np.int64)
    messages: list[list[str]] = []
    for row, (history, target) in enumerate(zip(targets.histories, targets.targets, strict=True)):
        user, state = SimulatedUser(recommender.records, int(target)), ConversationState([ids[i] for i in history])
        messages.append([])
        for turn in range(turns + 1):
            listed = recommender.retrieve(history.tolist(), _used(state, vector_only))[0][:k]
            if int(target) in listed:
                ranks[row, turn:] = listed.index(int(target))
                break
            said = user.feedback(listed) if turn < turns else None
            if said is None:
                break
            messages[-1].append(said)
            shown = [ids[i] for i in listed]
            state = ConversationState(state.history, wishes=state.wishes.merged(recommender.parser.parse(said, shown)))
    return Simulated(ranks, messages)


def gain_table(ranks: NDArray[np.int64], k: int = 10) -> dict[str, float]:
    """`HR@k_turn<t>` for t = 0 ... turns, and `gain_turn<t>`, the difference to turn 0, over ranks (n, turns + 1)."""
    hits = ((ranks >= 0) & (ranks < k)).mean(axis=0) if len(ranks) else np.full(ranks.shape[1], np.nan)
    table = {f"HR@{k}_turn{turn}": float(value) for turn, value in enumerate(hits)}
    return table | {f"gain_turn{turn}": float(hits[turn] - hits[0]) for turn in range(1, len(hits))}


def _used(state: ConversationState, vector_only: bool) -> Wishes:
    """The wishes that count; without constraints what was avoided or required still moves the vector."""
    w = state.wishes
    if not vector_only:
        return w
    free = replace(w, drop_items=[], avoid=[], require=[], max_price=None, min_price=None, min_year=None, max_year=None)
    return replace(free, more=[*w.more, *w.require], less=[*w.less, *w.avoid])
