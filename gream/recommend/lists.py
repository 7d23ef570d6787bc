"""How do sampled answers and beams become one list? Votes, then log-probability; no duplicates, ever.

Legend: an *item* is a dense index into the catalogue, -1 or None is "no item".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Source = Literal["beam", "votes", "chain_beam"]


@dataclass(frozen=True)
class Recommendation:
    """One recommended item.

    Args:
        item_id: Id of the item in its catalogue.
        title: Its title.
        score: Log-probability of its semantic ID (nats): of the beam, or of the best chain that led to it.
        reason: The chain of thought behind it; empty in direct mode.
        item: Dense index.
        sid: Semantic ID as text.
        votes: Chains that chose it; 0 when it comes from a beam.
        source: "beam" (direct), "votes" (chosen by sampled chains) or "chain_beam" (beam behind a chain).
    """

    item_id: str
    title: str
    score: float
    reason: str = ""
    item: int = -1
    sid: str = ""
    votes: int = 0
    source: Source = "beam"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a plain dictionary."""
        return asdict(self)


@dataclass(frozen=True)
class Ranked:
    """An item on its way into a list, before ids and titles are looked up.

    Args:
        item: Dense index.
        score: Log-probability, nats.
        votes: Number of chains that chose it.
        chain: Text of the best of these chains.
        source: Where it comes from, as in `Recommendation`.
    """

    item: int
    score: float
    votes: int = 0
    chain: str = ""
    source: Source = "beam"


def rank_by_votes(answers: Iterable[tuple[int | None, float, str]]) -> list[Ranked]:
    """Rank the items that sampled chains chose.

    Args:
        answers: (item or None, log-probability of the whole sample, chain text) per sample.

    Returns:
        One entry per distinct item: most votes first, equal votes by the best log-probability, then by item
        index, so that two runs give the same list. Answers without an item do not vote.

    Source: ours, because METHODS 1.5 names n samples and a list needs an order; votes estimate the
    probability of an item over all chains (self-consistency, arXiv 2203.11171).
    """
    best: dict[int, tuple[float, str]] = {}
    votes: dict[int, int] = {}
    for item, log_prob, chain in answers:
        if item is None or item < 0:
            continue
        votes[item] = votes.get(item, 0) + 1
        if item not in best or log_prob > best[item][0]:
            best[item] = (log_prob, chain)
    order = sorted(votes, key=lambda item: (-votes[item], -best[item][0], item))
    return [Ranked(item, best[item][0], votes[item], best[item][1], "votes") for item in order]


def merge(first: Sequence[Ranked], second: Sequence[Ranked], k: int, take: int | None = None) -> list[Ranked]:
    """Put one list on top of another without repeating an item.

    Args:
        first: The list on top.
        second: What fills the rest.
        k: Length of the result.
        take: How many of `first` are used; None means all.

    Returns:
        At most k entries. Where both lists hold an item, the upper place wins. With `take`, what is left of
        `first` still fills places that `second` cannot.
    """
    head = len(first) if take is None else take
    merged: dict[int, Ranked] = {}
    for entry in [*first[:head], *second, *first[head:]]:
        merged.setdefault(entry.item, entry)
    return list(merged.values())[:k]


def vote(
    answers: Sequence[tuple[int | None, float, str]], wanted: int, allowed: Callable[[int], bool]
) -> tuple[list[Ranked], str]:
    """What sampled chains decide, and the chain behind which a beam fills the places they leave open.

    Args:
        answers: (item or None, log-probability, chain) per sample, at least one.
        wanted: Places.
        allowed: Whether an item may be listed.

    Returns:
        At most `wanted` entries, and the best chain; a single chain does not vote: the beam behind it ranks.
    """
    voted = [entry for entry in rank_by_votes(answers) if allowed(entry.item)] if len(answers) > 1 else []
    chain = voted[0].chain if voted else max(answers, key=lambda answer: answer[1])[2]
    return voted[:wanted], chain


def beam_row(items: Sequence[int], scores: Sequence[float], chain: str = "") -> list[Ranked]:
    """Turn one row of a beam into list entries.

    Args:
        items: Dense indices, best first, padded with -1.
        scores: Log-probabilities (nats), same length; a padded place may hold -inf.
        chain: Chain the beam continued; empty for direct mode.

    Returns:
        One entry per real item, in order.
    """
    source: Source = "chain_beam" if chain else "beam"
    pairs = zip(items, scores, strict=True)
    return [Ranked(int(i), float(s), 0, chain, source) for i, s in pairs if i >= 0 and not math.isnan(s)]
