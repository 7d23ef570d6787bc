"""How is a catalogue's raw text made readable? HTML entities, tags, white space; nothing is invented."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

_TAG = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|br|center|code|dd|div|dl|dt|em|font|h[1-6]|hr|i|iframe|img|input|li|link|ol|p"
    r"|pre|s|script|section|small|span|strike|strong|style|sub|sup|table|tbody|td|th|thead|tr|tt|u|ul)"
    r"(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_MAX_UNESCAPES = 3  # "&amp;amp;quot;" is three deep; deeper nesting is not seen in catalogues


def clean_text(value: Any) -> str:
    """Unescape HTML entities, drop HTML tags and lone surrogates, collapse white space.

    Args:
        value: Text, a number, a list of texts (joined by a space), or None.

    Returns:
        Readable text; empty when there is none.
    """
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, (list, tuple)):
        return clean_text(" ".join(str(part) for part in value if part is not None))
    text = str(value)
    for _ in range(_MAX_UNESCAPES):
        plain = html.unescape(text) if "&" in text else text
        if plain == text:
            break
        text = plain
    text = _TAG.sub(" ", text) if "<" in text else text
    text = text if text.isascii() else text.encode("utf-8", "ignore").decode("utf-8")
    return " ".join(text.split())


def plain_scalar(value: Any) -> str | None:
    """Turn a JSON number or text into text; None for everything that can be no id, time or number.

    Args:
        value: A parsed JSON value.

    Returns:
        Text, or None for null, booleans, lists, objects and text with lone surrogates.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    text = str(value)
    return text if text == text.encode("utf-8", "ignore").decode("utf-8") else None


def flat_names(value: Any) -> list[str]:
    """Flatten a category field into clean, distinct names in their order.

    Args:
        value: None, one text, a list of names or a list of paths (lists of names).

    Returns:
        Distinct names; `[["Beauty", "Nails"], ["Beauty", "Gifts"]]` gives Beauty, Nails, Gifts.
    """
    names = (_clean_name(str(name)) for name in _leaves(value))
    return list(dict.fromkeys(name for name in names if name))


@lru_cache(maxsize=65536)
def _clean_name(name: str) -> str:
    """Names of categories repeat over the items of a catalogue."""
    return clean_text(name)


def _leaves(value: Any) -> Iterable[Any]:
    """Walk nested lists depth first."""
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _leaves(part)
    elif value is not None:
        yield value
