"""What should a chain say? Evidence, preferences and intent of the history that lead to the target.

This is reverse reasoning (METHODS 1.3): every statement is true of the history alone, and the known next item
only decides which of the true statements are worth making.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from data_synthesis.facts import Attribute, ItemFacts
from data_synthesis.leaks import Secret
from data_synthesis.links import Interest, Link, interests, link_items

Mode = Literal["series", "drift", "continue", "return", "explore"]
RECENT = 3  # the last items that count as "now"


@dataclass(frozen=True)
class Plan:
    """The content of one chain before it is worded.

    Attributes:
        evidence: One or two history items, in the order of the history.
        preferences: Real interests of the history, those shared with the target first.
        focus: The interest or title line that the intent follows; None when the catalogue knows nothing.
        mode: How the intent relates to the past: same series, newly grown interest, current interest,
            older interest, or nothing shared with the target.
        anchor: The history item that the reason cites.
        reason: What anchor and target share, or the dominant interest in mode "explore"; may be None.
        denoised: History items to keep, in order.
    """

    evidence: tuple[int, ...]
    preferences: tuple[Interest, ...]
    focus: Attribute | None
    mode: Mode
    anchor: int
    reason: Attribute | None
    denoised: tuple[int, ...]


def make_plan(facts: ItemFacts, history: Sequence[int], target: int, keep: int) -> Plan:
    """Plans a chain for one training event.

    Args:
        facts: What the catalogue knows.
        history: Items before the target, oldest first, at least one.
        target: The next item.
        keep: Most items of the denoised history.

    Returns:
        The plan; it names neither the target nor anything about it that the history does not show.
    """
    secret = Secret.of(facts, target)
    liked = [i for i in interests(facts, history) if not secret.revealed_by(i.attribute.key)]
    shared = [interest for interest in liked if interest.attribute.key in facts.attributes[target]]
    links = [link_items(facts, item, target) for item in history]
    lines = [link.line for link in links if link.line and not secret.revealed_by(link.line.key)]
    anchor = _anchor(history, target, links, liked)
    focus, mode = _intent(facts, history, shared, liked, lines)
    reason = _reason(facts, anchor, links[list(history).index(anchor)], shared, liked, lines)
    speakable = [item for item in dict.fromkeys(history) if not secret.revealed_by_item(facts, item)]
    ranked = _rank(facts, speakable, history, links, liked)
    related = _rank(facts, [i for i in dict.fromkeys(history) if i != target], history, links, liked)
    return Plan(
        evidence=_in_order(history, ranked[:2]),
        preferences=_preferences(shared, liked),
        focus=focus,
        mode=mode,
        anchor=anchor,
        reason=reason,
        denoised=_in_order(history, related[:keep]),
    )


def _preferences(shared: Sequence[Interest], liked: Sequence[Interest]) -> tuple[Interest, ...]:
    """Up to three interests that lead to the target, filled up to two with the strongest other ones."""
    others = [interest for interest in liked if interest not in shared]
    return tuple([*shared[:3], *others[: max(0, 2 - len(shared))]])


def _anchor(history: Sequence[int], target: int, links: Sequence[Link], liked: Sequence[Interest]) -> int:
    """The history item most related to the target; without any link the latest of the dominant interest."""
    best = max(range(len(history)), key=lambda at: (links[at].strength, history[at] != target, at))
    if links[best].strength > 0 or not liked:
        return history[best]
    return liked[0].items[-1]


def _intent(
    facts: ItemFacts,
    history: Sequence[int],
    shared: Sequence[Interest],
    liked: Sequence[Interest],
    lines: Sequence[Attribute],
) -> tuple[Attribute | None, Mode]:
    """The focus and how it relates to the past."""
    if lines:
        return max(lines, key=lambda line: (len(line.key), line.value)), "series"
    if not shared:
        return _broadest(facts, liked), "explore"
    now = max(shared, key=lambda i: (i.recent * facts.weight[i.attribute.key], i.attribute.key))
    lately = set(history[-RECENT:])
    if not lately.intersection(now.items):
        return now.attribute, "return"
    grown = len(history) > 2 * RECENT and now.recent > 1.6 * now.lasting
    return now.attribute, "drift" if grown else "continue"


def _reason(
    facts: ItemFacts,
    anchor: int,
    link: Link,
    shared: Sequence[Interest],
    liked: Sequence[Interest],
    lines: Sequence[Attribute],
) -> Attribute | None:
    """What the cited item and the target have in common; the dominant interest when they share nothing."""
    if link.line in lines and link.line is not None:
        return link.line
    common = [interest.attribute for interest in shared if interest.attribute.key in link.shared]
    if common:
        return max(common, key=lambda attribute: (facts.weight[attribute.key], attribute.key))
    return _broadest(facts, liked)


def _broadest(facts: ItemFacts, liked: Sequence[Interest]) -> Attribute | None:
    """The most frequent interest, the broadest among equals: what a change would be a change from."""
    order = sorted(liked, key=lambda i: (-i.lasting, facts.weight[i.attribute.key], i.attribute.key))
    return order[0].attribute if order else None


def _rank(
    facts: ItemFacts,
    items: Sequence[int],
    history: Sequence[int],
    links: Sequence[Link],
    liked: Sequence[Interest],
) -> list[int]:
    """Items by relation to the target, then by share in the dominant interests, then latest first."""
    place = {item: at for at, item in enumerate(history)}
    top = [interest.attribute.key for interest in liked[:2]]

    def relation(item: int) -> tuple[float, int, int]:
        dominant = sum(key in facts.attributes[item] for key in top)
        return (links[place[item]].strength, dominant, place[item])

    return sorted(items, key=relation, reverse=True)


def _in_order(history: Sequence[int], chosen: Sequence[int]) -> tuple[int, ...]:
    """The chosen items in the order of the history, each once (its last place)."""
    place = {item: at for at, item in enumerate(history)}
    return tuple(sorted(chosen, key=place.__getitem__))
