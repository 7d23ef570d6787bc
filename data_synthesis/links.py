"""How are items related? Interests of a history, and what one history item shares with another item."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from data_synthesis.facts import Attribute, ItemFacts
from data_synthesis.text import STOPWORDS, find_run, words

HALF_LIFE = 3.0  # events after which an interest counts half in the recent view
MAX_LINE = 4  # words of a shared title line
_TITLE_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Interest:
    """One attribute that the history shows.

    Attributes:
        attribute: The attribute.
        items: History items that have it, oldest first.
        lasting: Share of the history that has it.
        recent: The same share with recent events weighing more (half-life 3 events).
        score: `lasting` times the root of the attribute's weight: how much it characterises the user.
    """

    attribute: Attribute
    items: tuple[int, ...]
    lasting: float
    recent: float
    score: float


@dataclass(frozen=True)
class Link:
    """What a history item and another item share.

    Attributes:
        shared: Keys of the attributes both have.
        line: The run of title words both have (a franchise or product line), or None.
        strength: Sum of the weights of all of it; 0 when nothing is shared.
    """

    shared: frozenset[tuple[str, ...]]
    line: Attribute | None
    strength: float


def interests(facts: ItemFacts, history: Sequence[int]) -> list[Interest]:
    """The history's attributes, the most characteristic first.

    Args:
        facts: What the catalogue knows.
        history: Items, oldest first.

    Returns:
        One `Interest` per attribute, sorted by falling score (ties by key).
    """
    decay = [0.5 ** ((len(history) - 1 - at) / HALF_LIFE) for at in range(len(history))]
    total = sum(decay)
    places: dict[tuple[str, ...], list[int]] = {}
    known: dict[tuple[str, ...], Attribute] = {}
    for at, item in enumerate(history):
        for key, attribute in facts.attributes[item].items():
            places.setdefault(key, []).append(at)
            known.setdefault(key, attribute)
    found = []
    for key, at_places in places.items():
        lasting = len(at_places) / len(history)
        recent = sum(decay[at] for at in at_places) / total
        items = tuple(history[at] for at in at_places)
        found.append(Interest(known[key], items, lasting, recent, lasting * facts.weight[key] ** 0.5))
    return sorted(found, key=lambda interest: (-interest.score, interest.attribute.key))


def link_items(facts: ItemFacts, item: int, other: int) -> Link:
    """What two items share.

    Args:
        facts: What the catalogue knows.
        item: A history item; a shared line is quoted from its title.
        other: The item it is compared with.

    Returns:
        The link; its strength is 0 when nothing is shared.
    """
    shared = frozenset(facts.attributes[item].keys() & facts.attributes[other].keys())
    common = facts.telling[item] & facts.telling[other]
    line = _shared_line(facts, item, other, common) if common and item != other else None
    if line is not None and line.key in shared:
        line = None
    strength = sum(facts.weight[key] for key in shared) + sum(facts.word_weight[word] for word in common)
    return Link(shared, line, strength)


def _shared_line(facts: ItemFacts, item: int, other: int, common: frozenset[str]) -> Attribute | None:
    """The title beginning that both items have, or that one of them begins with and the other quotes.

    A line holds a telling word; a single word is one only if the catalogue uses it as a main title or a brand
    ("Batman", but not "Last" because two titles happen to begin with it).
    """
    mine, theirs = (words(facts.names.titles[i]) for i in (item, other))
    best = max((_common_run(mine, theirs), _common_run(theirs, mine)), key=len)
    while best and (best[-1] in STOPWORDS or best[-1].isdigit()):
        best = best[:-1]
    if not common.intersection(best) or (len(best) == 1 and best[0] not in facts.line_words):
        return None
    return _quote(facts.names.titles[item], best)


def _common_run(title: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    """The longest beginning of `title` (past a function word, at most 4 words) that `other` contains."""
    start = 1 if title and title[0] in STOPWORDS else 0
    for end in range(min(len(title), start + MAX_LINE), start, -1):
        at = find_run(other, title[start:end])
        if at >= 0 and (end - start > 1 or at <= 1):
            return tuple(title[start:end])
    return ()


def _quote(title: str, run: Sequence[str]) -> Attribute:
    """The run as the title writes it."""
    pieces = _TITLE_WORD.findall(title)
    for start in range(len(pieces)):
        for end in range(start + 1, len(pieces) + 1):
            if words(" ".join(pieces[start:end])) == tuple(run):
                value = " ".join(pieces[start:end]).strip('.,;:!?-"()[]*|&/ ')
                return Attribute("line", value, tuple(run))
    return Attribute("line", " ".join(run), tuple(run))
