"""How is free text compared? As words: case, punctuation, encoding and markup entities do not count."""

import html
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

_APOSTROPHES = re.compile(r"['’`´]")
_WORD = re.compile(r"[^\W_]+")
_SPACE = re.compile(r"\s+")

# Function words: they carry no hint about an item, so they never count as a revealed title word.
_FUNCTION_WORDS = """
a all an and any are as at be but by de do for from had has have her his i if in into is it its la le les may
my no not of off on one only or other our out so some such than that the their them then there these this
those to too up was we were what when which who will with you your
"""
STOPWORDS = frozenset(_FUNCTION_WORDS.split())


@lru_cache(maxsize=200_000)
def words(text: str) -> tuple[str, ...]:
    """Splits a text into comparable words.

    Args:
        text: Any text, markup entities included.

    Returns:
        Case-folded words without punctuation, e.g. `L&#39;Oreal 5-in-1` -> `("loreal", "5", "in", "1")`.
    """
    plain = unicodedata.normalize("NFKC", html.unescape(text) if "&" in text else text).casefold()
    return tuple(_WORD.findall(_APOSTROPHES.sub("", plain)))


def clean(text: str) -> str:
    """Makes catalogue text fit for a sentence: entities resolved, control characters gone, one line."""
    plain = html.unescape(html.unescape(text)) if "&" in text else text
    if plain.isprintable():
        return _SPACE.sub(" ", plain).strip()
    visible = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in plain)
    return _SPACE.sub(" ", visible).strip()


def find_run(haystack: Sequence[str], needle: Sequence[str], start: int = 0) -> int:
    """Finds a contiguous run of words.

    Returns:
        The position of the first occurrence at or after `start`, or -1 (also for an empty needle).
    """
    size = len(needle)
    if size == 0:
        return -1
    first, wanted = needle[0], tuple(needle)
    for at in range(start, len(haystack) - size + 1):
        if haystack[at] == first and tuple(haystack[at : at + size]) == wanted:
            return at
    return -1


def contains(haystack: Sequence[str], needle: Sequence[str]) -> bool:
    """True when `needle` occurs as a contiguous, non-empty run of words in `haystack`."""
    return find_run(haystack, needle) >= 0


def ngrams(text_words: Sequence[str], size: int) -> set[tuple[str, ...]]:
    """All contiguous runs of `size` words."""
    return {tuple(text_words[i : i + size]) for i in range(len(text_words) - size + 1)}
