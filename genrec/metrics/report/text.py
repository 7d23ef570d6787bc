"""How does untrusted text enter a report? Without control characters, and escaped for its format."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

# Overrides of the writing direction would let a title rearrange the page around it.
DIRECTION = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)}
LONGEST = 400  # characters of a fact on a page; what says more is read in its file
MARKDOWN = str.maketrans({c: f"\\{c}" for c in "\\`*_{}[]<>#|~$"} | {"\n": " ", "\r": " "})


def visible(text: Any) -> str:
    """Replace what cannot or should not be shown.

    Args:
        text: Any value; None becomes an empty text.

    Returns:
        Its text with control, surrogate and direction characters as U+FFFD; line breaks and tabs stay.
    """
    kept = "" if text is None else str(text)
    return "".join("\N{REPLACEMENT CHARACTER}" if _hidden(c) else c for c in kept)


def _hidden(char: str) -> bool:
    return char in DIRECTION or (unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\r\t")


def in_markdown(text: Any) -> str:
    """Escape text so that Markdown and the HTML inside it show it as it is, on one line."""
    return visible(text).translate(MARKDOWN).replace("&", "&amp;")


def duration(seconds: float) -> str:
    """'45 s', '12 min' or '3.5 h'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def flat_facts(section: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Write a section of metrics.json as pairs of texts.

    Args:
        section: Facts; mappings and lists inside are written on one line.

    Returns:
        (name, value) pairs, empty values left out.
    """
    return [(visible(key), fact(value)) for key, value in section.items() if value not in (None, "", [], {})]


def short_facts(section: Mapping[str, Any], file: str) -> list[tuple[str, str]]:
    """As `flat_facts`, but what is longer than `LONGEST` characters only names the file that holds it."""
    return [(key, text if len(text) <= LONGEST else f"see {file}") for key, text in flat_facts(section)]


def fact(value: Any) -> str:
    """Write one fact: mappings as 'a 1, b 2', lists with commas, integers with separators."""
    if isinstance(value, Mapping):
        return ", ".join(f"{visible(key)} {fact(inner)}" for key, inner in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(fact(inner) for inner in value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return f"{value:.6g}" if isinstance(value, float) else visible(value)
