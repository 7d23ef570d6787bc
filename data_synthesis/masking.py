"""Are chains more than one sentence with item names swapped in? Mask the names and count what differs."""

from collections.abc import Iterable, Sequence

from data_synthesis.facts import ItemFacts
from data_synthesis.text import words
from genrec.data.chains import Chain

MASK = "[item]"


def mask_item_names(text: str, names: Iterable[str]) -> str:
    """Replaces item names by a mask, longest first; case and punctuation do not count.

    Args:
        text: Any text.
        names: Names of items, in every form that the text may use.

    Returns:
        The text as words, e.g. "More like Alien, the film" with "Alien" -> "more like [item] the film".
    """
    said = words(text)
    by_first: dict[str, list[tuple[str, ...]]] = {}
    for form in sorted({words(name) for name in names}, key=len, reverse=True):
        if form:
            by_first.setdefault(form[0], []).append(form)
    masked: list[str] = []
    at = 0
    while at < len(said):
        hit = next((f for f in by_first.get(said[at], ()) if said[at : at + len(f)] == f), None)
        masked.append(MASK if hit else said[at])
        at += len(hit) if hit else 1
    return " ".join(masked)


def mask_chain(facts: ItemFacts, chain: Chain) -> str:
    """Stages 1 to 4 of a chain with the names of its history and target masked."""
    items = [facts.index_of(item) for item in (*chain.history, chain.target)]
    names = [form for item in items for form in facts.names.forms(item)]
    stages = (chain.behaviour, chain.preferences, chain.intent, chain.recommendation)
    return " | ".join(mask_item_names(stage, names) for stage in stages)


def distinct_share(texts: Sequence[str]) -> float:
    """Share of different texts among all, in [0, 1].

    Raises:
        ValueError: No text.
    """
    if not texts:
        raise ValueError("distinct_share needs at least one text, got none")
    return len(set(texts)) / len(texts)
