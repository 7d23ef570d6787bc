"""Which prices and years does a clause allow? Under 20, no more than 20, since 2000, from the 80s."""

from __future__ import annotations

import re

from llmrec.generative.feedback.wishes import Wishes

_NOT = r"\b(?P<no>(?:not|no|nothing|none|never)\s+)?(?:anything\s+)?"
_NUMBER = r"[$€£]?\s?(?P<value>\d+(?:,\d{3})*(?:\.\d+)?)"
_YEAR = r"(?P<value>(?:18|19|20)\d\d)\b"
_BELOW = re.compile(rf"{_NOT}(?:under|below|less than|cheaper than|at most|up to|max(?:imum)?)\s+{_NUMBER}", re.I)
_ABOVE = re.compile(rf"{_NOT}(?:over|above|more than|dearer than|at least|min(?:imum)?)\s+{_NUMBER}", re.I)
_SINCE = re.compile(rf"{_NOT}(?P<how>after|since|newer than|from)\s+{_YEAR}", re.I)
_UNTIL = re.compile(rf"{_NOT}(?P<how>before|until|older than)\s+{_YEAR}", re.I)
_DECADE = re.compile(r"\b(?:the\s+)?((?:18|19|20)\d)0'?s\b|\b'?([2-9])0'?s\b", re.I)


def take_bounds(clause: str, made: Wishes, negative: bool) -> str:
    """Price and year bounds into `made`.

    Args:
        clause: a part of a message.
        made: gets the bounds; a denied one is the other way round ("no more than 20").
        negative: True where the clause denies; a decade is then left in the clause.

    Returns:
        The clause without its bounds.
    """
    for pattern, bound, other in ((_SINCE, "min_year", "max_year"), (_UNTIL, "max_year", "min_year")):
        if found := pattern.search(clause):
            setattr(made, other if found["no"] else bound, _year(found))
            clause = pattern.sub(" ", clause)
    if not negative and (found := _DECADE.search(clause)):
        made.min_year = int(found[1]) * 10 if found[1] else 1900 + int(found[2]) * 10
        made.max_year = made.min_year + 9
        clause = _DECADE.sub(" ", clause)
    for pattern, bound, other in ((_BELOW, "max_price", "min_price"), (_ABOVE, "min_price", "max_price")):
        if found := pattern.search(clause):
            setattr(made, other if found["no"] else bound, float(found["value"].replace(",", "")))
            clause = pattern.sub(" ", clause)
    return clause


def _year(found: re.Match[str]) -> int:
    """The last or first year that passes: "before 1990" is 1989 and "not before 1990" 1990, "not since 1990" 1989."""
    excluded = ("since", "from") if found["no"] else ("before",)
    return int(found["value"]) - int(found["how"].lower() in excluded)
