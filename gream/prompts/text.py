"""How is free text brought to one short line? Pure string functions."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")


def one_line(text: str) -> str:
    """Collapse every run of white space (line breaks too) into one space and trim the ends."""
    return " ".join(text.split())


def clip_words(text: str, max_words: int | None) -> str:
    """Keep at most `max_words` words separated by spaces; None keeps all."""
    if max_words is None:
        return text
    return " ".join(text.split(" ")[:max_words])


def names_title(text: str, title: str, words: int = 3) -> bool:
    """Tell whether a text names a title: the title's first words appear in it, in order and adjacent.

    Args:
        text: text of a stage.
        title: title of the item it should name.
        words: how many leading words are enough; teachers may shorten long titles.
    """
    wanted = [word.casefold() for word in _WORD.findall(title)][:words]
    found = [word.casefold() for word in _WORD.findall(text)]
    return any(found[start : start + len(wanted)] == wanted for start in range(len(found) - len(wanted) + 1))
