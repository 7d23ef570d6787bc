"""What can be understood without a language model? Clauses of plain English: not this, under 20, more of that.

The parser knows the catalogue's own values and titles, ordinals of the last list, prices, years and comparisons; what
is left of a clause becomes a text to move towards (or away from).
Source: ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from llmrec.generative.feedback.wishes import Wishes
from llmrec.generative.records import Records, Words, words

MAX_MESSAGE = 1000
_CLAUSE = re.compile(r"[;!?\n]|\.(?!\d)|,(?!\d)|\b(?:but|and|then)\b", re.IGNORECASE)
_NUMBER = r"[$€£]?\s?(\d+(?:,\d{3})*(?:\.\d+)?)"
_BELOW = re.compile(rf"\b(?:under|below|less than|cheaper than|at most|up to|max(?:imum)?)\s+{_NUMBER}", re.IGNORECASE)
_ABOVE = re.compile(rf"\b(?:over|above|more than|at least|min(?:imum)?)\s+{_NUMBER}", re.IGNORECASE)
_SINCE = re.compile(r"\b(?:after|since|newer than|from)\s+((?:18|19|20)\d\d)\b", re.IGNORECASE)
_UNTIL = re.compile(r"\b(?:before|until|older than)\s+((?:18|19|20)\d\d)\b", re.IGNORECASE)
_DECADE = re.compile(r"\b(?:the\s+)?((?:18|19|20)\d)0'?s\b|\b'?([2-9])0'?s\b", re.IGNORECASE)
_NEGATIVE = re.compile(
    r"\b(?:not|no|without|except|exclude|avoid|hate|dislike|don'?t (?:like|want|show)|less|fewer|tired of|remove|skip)"
    r"\b",
    re.IGNORECASE,
)
_ONLY = re.compile(r"\b(?:only|just|must be|has to be)\b", re.IGNORECASE)
_LIKE = re.compile(r"\b(?:like|similar to|love|loved|liked|more of)\b", re.IGNORECASE)
_ORDINALS = {
    "first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4, "5th": 4,
    "last": -1,
}  # fmt: skip
_THIS = re.compile(r"\b(?:this|that|these|those|it|them|the)\s+(?:one|ones|item|items)\b|\b(?:these|those|them)\b")
_FILLER_WORDS = """
i me my want would like love prefer please show give something anything ones one this that these those it with for to of
the a an some any more less no not without except avoid hate dislike don't dont only just must be has is are in from
than under over below above but and then too so much really very tired remove skip similar item items
"""
_FILLER = frozenset(_FILLER_WORDS.split())


class RuleParser:
    """Reads feedback by rules.

    Args:
        records: the catalogue's records.
    """

    def __init__(self, records: Records) -> None:
        self.records = records

    def parse(self, message: str, shown: Sequence[str] = ()) -> Wishes:
        """What a message asks for.

        Args:
            message: the user's words; more than 1,000 characters are cut.
            shown: item ids of the last list, in its order.

        Returns:
            The wishes; empty when nothing was understood.
        """
        made = Wishes()
        negative = False
        for clause in _CLAUSE.split(message[:MAX_MESSAGE].replace("’", "'")):
            if not clause.strip():
                continue
            found = self._clause(clause.strip(), shown, negative)
            made = made.merged(found)
        return made

    def _clause(self, clause: str, shown: Sequence[str], negative: bool) -> Wishes:
        made = Wishes()
        rest = _bounds(clause, made)
        negative = bool(_NEGATIVE.search(rest))
        rest = self._items(rest, shown, negative, made)
        named = self.records.mentions(rest)
        for _, value in named:
            if negative:
                made.avoid.append(value.text)
            elif _ONLY.search(rest):
                made.require.append(value.text)
            else:
                made.more.append(value.text)
        left = _leftover(rest, [key for key, _ in named])
        if left:
            (made.less if negative else made.more).append(left)
        return made

    def _items(self, clause: str, shown: Sequence[str], negative: bool, made: Wishes) -> str:
        """Items that a clause points at or names; returns the clause without them."""
        ids = [shown[place] for place in _places(clause, len(shown))]
        titles = self.records.titles_in(clause, least_words=2)
        ids += [self.records[item].item_id for item in titles]
        target = made.disliked if negative else made.liked
        target += ids
        if negative:
            made.drop_items += ids
        for item in titles:
            clause = re.sub(re.escape(self.records[item].title), " ", clause, flags=re.IGNORECASE)
        return _THIS.sub(" ", re.sub(rf"\b(?:{'|'.join(_ORDINALS)})(?:\s+(?:one|item))?\b", " ", clause, flags=re.I))


def _places(clause: str, count: int) -> list[int]:
    """Places of the last list that a clause points at: ordinals, "this one" (the first), "these" (all)."""
    if count == 0:
        return []
    found = [_ORDINALS[word] % count for word in words(clause) if word in _ORDINALS and _ORDINALS[word] < count]
    if found:
        return list(dict.fromkeys(found))
    lowered = clause.lower()
    if re.search(r"\b(?:these|those|them)\b", lowered):
        return list(range(count))
    return [0] if re.search(r"\b(?:this|that) (?:one|item)\b|\bnot (?:this|that|it)$", lowered) else []


def _bounds(clause: str, made: Wishes) -> str:
    """Price and year bounds into `made`; returns the clause without them."""
    for pattern, name in ((_SINCE, "min_year"), (_UNTIL, "max_year")):
        if found := pattern.search(clause):
            setattr(made, name, int(found[1]) - (1 if name == "max_year" and "before" in found[0].lower() else 0))
            clause = pattern.sub(" ", clause)
    if (found := _DECADE.search(clause)) and not _NEGATIVE.search(clause):
        start = int(found[1]) * 10 if found[1] else 1900 + int(found[2]) * 10
        made.min_year, made.max_year = start, start + 9
        clause = _DECADE.sub(" ", clause)
    for pattern, name in ((_BELOW, "max_price"), (_ABOVE, "min_price")):
        if found := pattern.search(clause):
            setattr(made, name, float(found[1].replace(",", "")))
            clause = pattern.sub(" ", clause)
    return clause


def _leftover(clause: str, named: Sequence[Words]) -> str:
    """Words of a clause that are neither filler nor a known value: a text to move by."""
    gone = {word for key in named for word in key}
    kept = [word for word in re.findall(r"[^\W_]+(?:'[^\W_]+)?", clause.lower()) if word not in _FILLER | gone]
    return " ".join(kept)
