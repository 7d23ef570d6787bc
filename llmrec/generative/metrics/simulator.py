"""Does answering back help? Users with hidden preferences talk to the recommender for a few turns.

A simulated user wants one item (the test target) and never names it. When it is not in the list, the user says one true
thing that tells the target from what was listed: a value that it lacks or that all listed items have, or its price.
Only the user knows the target; the recommender sees words and the history. A satisfied user says no more, so the share
of satisfied users can only grow; the control therefore turns pages and hears nothing, and a gain counts over it.
Source: METHODS 5 (gain after feedback); the critiquing user and the control are ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genrec.data.split import Targets
from llmrec.generative.feedback.wishes import Wishes
from llmrec.generative.recommender import GenerativeRecommender
from llmrec.generative.records import Record, Records, Words

MODES = ("words", "vector", "paging")


@dataclass
class Simulated:
    """What came of the conversations.

    Attributes:
        ranks: (n, turns + 1) rank of the target in each turn's list, -1 for a miss; column 0 is before any feedback.
            The rank of a satisfied user stays.
        messages: per user, what was said.
        kinds: how often what was said: "more genres", "not brand", "under price".
    """

    ranks: NDArray[np.int64]
    messages: list[list[str]]
    kinds: Counter[str]


class SimulatedUser:
    """Someone who wants one item and criticises lists that lack it.

    Args:
        records: the catalogue's records.
        target: dense item.
    """

    def __init__(self, records: Records, target: int) -> None:
        self.records, self.target = records, records[target]
        self.said: set[Words] = set()
        self.kinds: list[str] = []

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
            self.kinds.append("under price")
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
        self.kinds.append(f"more {self.target.values[key].kind}")
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
        self.kinds.append(f"not {values[key].kind}")
        return f"not {values[key].text}"


def simulate(
    recommender: GenerativeRecommender, targets: Targets, turns: int = 3, k: int = 10, mode: str = "words"
) -> Simulated:
    """Let every user talk for a few turns; a user whose target was listed stays satisfied and says no more.

    Args:
        recommender: who is talked to; its writer takes no part, only retrieval and feedback do.
        targets: n users with their hidden targets.
        turns: messages at most.
        k: items per list.
        mode: words; vector (ablation: no hard constraints, only the vector moves); paging (control: every turn shows
            the next k items, and nothing is said).

    Raises:
        ValueError: an unknown mode, or a pool too small for the pages.
    """
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(MODES)}")
    if mode == "paging" and recommender.pool < (turns + 1) * k:
        raise ValueError(f"{turns + 1} pages of {k} items need a pool of {(turns + 1) * k}, got {recommender.pool}")
    users = [SimulatedUser(recommender.records, int(target)) for target in targets.targets]
    ranks = np.full((len(targets), turns + 1), -1, dtype=np.int64)
    messages = []
    for row, (user, history) in enumerate(zip(users, targets.histories, strict=True)):
        turn, rank, said = _conversation(recommender, user, history.tolist(), turns, k, mode)
        ranks[row, turn:] = rank
        messages.append(said)
    return Simulated(ranks, messages, Counter(kind for user in users for kind in user.kinds))


def _conversation(
    made: GenerativeRecommender, user: SimulatedUser, history: list[int], turns: int, k: int, mode: str
) -> tuple[int, int, list[str]]:
    """The turn and the rank at which the target was listed (the last turn and -1: never), and what was said."""
    ids, wishes = made.catalogue.item_ids, Wishes()
    messages: list[str] = []
    for turn in range(turns + 1):
        found = made.retrieve(history, without_constraints(wishes) if mode == "vector" else wishes)[0]
        listed = found[turn * k : (turn + 1) * k] if mode == "paging" else found[:k]
        if user.target.item in listed:
            return turn, listed.index(user.target.item), messages
        if mode == "paging" or turn == turns:
            continue
        said = user.feedback(listed)
        if said is None:
            break
        messages.append(said)
        wishes = wishes.merged(made.parser.parse(said, [ids[i] for i in listed]))
    return turns, -1, messages


def gain_table(ranks: NDArray[np.int64], k: int = 10, control: NDArray[np.int64] | None = None) -> dict[str, float]:
    """What feedback gained.

    Args:
        ranks: (n, turns + 1), see `Simulated`.
        k: list length.
        control: ranks of the same users who turned pages.

    Returns:
        `HR@k_turn<t>`, users satisfied until turn t; `gain_turn<t>`, the difference to turn 0; `new_hits@k_turn<t>`,
        hits of the list of turn t among users who were not satisfied before; `gain_over_paging_turn<t>`, the difference
        to the control.
    """
    hit = (ranks >= 0) & (ranks < k)
    rates, table = _means(hit), {}
    for turn, rate in enumerate(rates):
        table[f"HR@{k}_turn{turn}"] = float(rate)
        if turn:
            table[f"gain_turn{turn}"] = float(rate - rates[0])
            open_users = ~hit[:, turn - 1]
            table[f"new_hits@{k}_turn{turn}"] = (
                float(hit[open_users, turn].mean()) if open_users.any() else float("nan")
            )
    if control is not None:
        paged = _means((control >= 0) & (control < k))
        table |= {f"gain_over_paging_turn{turn}": float(rates[turn] - paged[turn]) for turn in range(1, len(rates))}
    return table


def without_constraints(wishes: Wishes) -> Wishes:
    """Wishes that move the vector alone: what was avoided or required still does, bounds are gone."""
    w = wishes
    free = replace(w, drop_items=[], avoid=[], require=[], max_price=None, min_price=None, min_year=None, max_year=None)
    return replace(free, more=[*w.more, *w.require], less=[*w.less, *w.avoid])


def _means(hit: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Column means (turns + 1,); NaN without users."""
    return np.asarray(hit.mean(axis=0) if len(hit) else np.full(hit.shape[1], np.nan), dtype=np.float64)
