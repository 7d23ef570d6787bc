"""How is an item called in a chain? By its title in full style, by the title's beginning in compact style."""

import re
from collections import Counter
from collections.abc import Sequence

from data_synthesis.text import STOPWORDS, clean, words

MIN_WORDS, MAX_WORDS = 3, 4
FULL_CHARACTERS = 90
_PIECE = re.compile(r"\S+")


class ItemNames:
    """The names of every item of a catalogue.

    Attributes:
        titles: Titles on one line, markup entities resolved.
        full: Titles cut at a word when longer than 90 characters.
        short: The title up to its third word, to its fourth where that keeps two items apart.
        unique: True where `short` belongs to one item only.
    """

    def __init__(self, titles: Sequence[str]) -> None:
        self.titles = [clean(title) for title in titles]
        self.full = [cut_at_word(title, FULL_CHARACTERS) for title in self.titles]
        self.short = short_names(self.titles)
        counts = Counter(words(name) for name in self.short)
        self.unique = [counts[words(name)] == 1 for name in self.short]
        self._forms = [tuple(dict.fromkeys((self.titles[i], self.full[i], self.short[i]))) for i in range(len(titles))]

    def forms(self, item: int) -> tuple[str, ...]:
        """Every text that names the item, longest first: title, full name, short name."""
        return self._forms[item]


def short_names(titles: Sequence[str]) -> list[str]:
    """Shortens titles to their beginnings.

    Args:
        titles: Titles on one line.

    Returns:
        One name per title, verbatim: at least its first three words (from there on prompts count it as
        named), and not ending in a function word unless the title does.
    """
    names = [_beginning(title, MIN_WORDS) for title in titles]
    for size in range(MIN_WORDS + 1, MAX_WORDS + 1):
        counts = Counter(words(name) for name in names)
        names = [
            name if counts[words(name)] == 1 else _beginning(title, size)
            for name, title in zip(names, titles, strict=True)
        ]
    return names


def cut_at_word(text: str, limit: int) -> str:
    """Cuts a text to at most `limit` characters, at the end of a word where there is one."""
    if len(text) <= limit:
        return text
    head = text[: limit + 1].rsplit(" ", 1)[0][:limit]
    return head.rstrip(" ,;:-(&") or text[:limit]


def _beginning(title: str, size: int) -> str:
    """The title up to its `size`-th piece that holds a word, further when that piece is a function word."""
    ends: list[int] = []
    for piece in _PIECE.finditer(title):
        if words(piece.group()):
            ends.append(piece.end())
            if len(ends) >= size and not STOPWORDS.issuperset(words(piece.group())):
                break
    cut = title[: ends[-1]] if ends else title
    trimmed = cut.strip(" ,;:-*|\"'") if cut.count("(") == cut.count(")") else cut.strip(" ,;:-*|\"'()[]")
    return trimmed or title
