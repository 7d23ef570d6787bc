"""What can be understood without a language model? Clauses of plain English: not this, under 20, more of that.

The parser knows the catalogue's own values and titles, ordinals of the last list, prices, years and comparisons; what
is left of a clause becomes a text to move towards (or away from). Known names are set aside before a message is cut
into clauses, so that "St. Ives" stays one name. A denial goes on over a list of names ("not this, that and those").
Source: ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from llmrec.generative.feedback.bounds import take_bounds
from llmrec.generative.feedback.wishes import Wishes
from llmrec.generative.records import Name, Records, Value, Words, words

MAX_MESSAGE = 1000
_FIRST_MARK = 0xE000  # marks of names: private characters, which no message keeps
_MARK = re.compile("[\ue000-\uf8ff]")
_BREAK = re.compile(r"([;!?\n]|\.(?!\d)|,(?!\d)|\b(?:but|and|or|nor|then)\b|\b(?=(?:without|except)\b))", re.IGNORECASE)
_LISTING = (",", "and", "or", "nor")
_NEGATIVE = re.compile(
    r"\b(?:not|no|none|nothing|never|neither|nor|without|except|exclude|avoid|hate|dislike|"
    r"don'?t (?:like|want|show)|less|fewer|tired of|remove|skip)\b",
    re.IGNORECASE,
)
_POSITIVE = re.compile(
    r"\b(?:more|want|like|love|prefer|only|just|show|give|something|please|instead|rather)\b", re.IGNORECASE
)
_ONLY = re.compile(r"\b(?:only|just|must be|has to be)\b", re.IGNORECASE)
_ORDINALS = {
    "first": 0, "1st": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4, "5th": 4,
    "last": -1,
}  # fmt: skip
_ORDINAL = re.compile(rf"\b(?:{'|'.join(_ORDINALS)})(?:\s+(?:one|item))?\b", re.IGNORECASE)
_THIS = re.compile(r"\b(?:this|that|these|those|it|them|the)\s+(?:one|ones|item|items)\b|\b(?:these|those|them)\b")
_ALL = re.compile(r"\b(?:these|those|them)\b(?!\s+(?:with|that|which|from|for)\b)|^\W*none\W*$")
_KIND = re.compile(r"\b(this|that|these|those|the same)\s+([^\W\d_]+)\b", re.IGNORECASE)
_FILLER_WORDS = """
i me my want would like love prefer please show give something anything nothing none never neither nor or ones one this
that these those it with for to of the a an some any more less no not without except avoid hate dislike don't dont only
just must be has is are in from than under over below above but and then too so much really very tired remove skip
similar item items instead rather
"""
_FILLER = frozenset(_FILLER_WORDS.split())


class RuleParser:
    """Reads feedback by rules.

    Args:
        records: the catalogue's records.
    """

    def __init__(self, records: Records) -> None:
        self.records = records
        self._kinds = {form: value.kind for value in records.lexicon.values() for form in _forms(value.kind)}

    def parse(self, message: str, shown: Sequence[str] = ()) -> Wishes:
        """What a message asks for.

        Args:
            message: the user's words; more than 1,000 characters are cut.
            shown: item ids of the last list, in its order; "this one" and "this brand" are the first's.

        Returns:
            The wishes; empty when nothing was understood.
        """
        text, names = self._marked(_MARK.sub(" ", message[:MAX_MESSAGE]).replace("’", "'"))
        made, negative = Wishes(), False
        for clause, joint in _clauses(text):
            carried = negative and joint in _LISTING and not _POSITIVE.search(clause)
            found, negative = self._clause(clause, shown, names, carried, joint)
            made = made.merged(found)
        return made

    def _marked(self, text: str) -> tuple[str, dict[str, Name]]:
        """A text with one mark in place of each known name, and the names by their marks."""
        names: dict[str, Name] = {}
        parts, at = [], 0
        for name in self.records.names_in(text):
            if all(word in _FILLER or word in _ORDINALS or word.replace(".", "").isdigit() for word in name.key):
                continue  # a command or a number; what kind of number, only its clause tells
            mark = chr(_FIRST_MARK + len(names))
            names[mark] = name
            parts += [text[at : name.start], f" {mark} "]
            at = name.end
        plain = "".join([*parts, text[at:]])
        return re.sub(
            r"\banything but\b", "not", re.sub(r"\bnothing but\b", "only", plain, flags=re.I), flags=re.I
        ), names

    def _clause(
        self, clause: str, shown: Sequence[str], names: Mapping[str, Name], carried: bool, joint: str
    ) -> tuple[Wishes, bool]:
        """Wishes of a clause, and whether a denial may go on behind it."""
        made = Wishes()
        rest = take_bounds(clause, made, bool(_NEGATIVE.search(clause)))
        denied, bounded = bool(_NEGATIVE.search(rest)), rest != clause  # a bound takes its own "no" with it
        rest, values = self._of_shown(rest, shown)
        marked = [names[mark].means for mark in _MARK.findall(rest)]
        ids = [shown[place] for place in _places(rest, len(shown))]
        ids += [self.records[item].item_id for item in marked if isinstance(item, int)]
        rest = _MARK.sub(" ", _THIS.sub(" ", _ORDINAL.sub(" ", rest)))
        numbers = self.records.mentions(rest)
        values += [*(value for value in marked if isinstance(value, Value)), *(value for _, value in numbers)]
        left = _leftover(rest, [key for key, _ in numbers])
        # "longer battery" after "not this" is wished for; "or noisy" after "not heavy" is not
        goes_on = carried and not bounded and (joint in ("or", "nor") or not left)
        _put(made, denied or goes_on, bool(_ONLY.search(rest)), ids, [value.text for value in values], left)
        return made, (denied or goes_on) and not bounded

    def _of_shown(self, clause: str, shown: Sequence[str]) -> tuple[str, list[Value]]:
        """Values that "this brand" stands for, and the clause without such words."""
        values: list[Value] = []

        def taken(found: re.Match[str]) -> str:
            kind = self._kinds.get(found[2].lower())
            if kind is None:
                return found[0]
            pointed = shown if found[1].lower() in ("these", "those") else shown[:1]
            items = [self.records.items[item_id] for item_id in pointed if item_id in self.records.items]
            values.extend(v for item in items for v in self.records[item].values.values() if v.kind == kind)
            return " "

        return _KIND.sub(taken, clause), values


def _clauses(text: str) -> Iterator[tuple[str, str]]:
    """Clauses with what joins each to the one before: "," or a word, "." where a list of names cannot go on."""
    parts = _BREAK.split(text)
    joint = ""
    for place in range(0, len(parts), 2):
        if parts[place].strip():
            yield parts[place].strip(), joint
            joint = ""
        if place + 1 < len(parts):
            word = parts[place + 1].lower()
            joint = word if word in _LISTING and joint != "." else "."


def _put(made: Wishes, negative: bool, only: bool, ids: list[str], values: list[str], left: str) -> None:
    """What a clause names, on the side it is on."""
    values = list(dict.fromkeys(values))
    if negative:
        made.disliked, made.drop_items, made.avoid = ids, list(ids), values
    else:
        made.liked = ids
        made.require, made.more = (values, []) if only else ([], values)
    if left:
        (made.less if negative else made.more).append(left)


def _places(clause: str, count: int) -> list[int]:
    """Places of the last list that a clause points at: ordinals, "this one" (the first), "these" and "none" (all)."""
    if count == 0:
        return []
    found = [_ORDINALS[word] % count for word in words(clause) if word in _ORDINALS and _ORDINALS[word] < count]
    if found:
        return list(dict.fromkeys(found))
    lowered = clause.lower()
    if _ALL.search(lowered):
        return list(range(count))
    return [0] if re.search(r"\b(?:this|that) (?:one|item)\b|\bnot (?:this|that|it)$", lowered) else []


def _forms(kind: str) -> set[str]:
    """How a kind of value may be called: genres, genre; categories, category."""
    name = kind.lower().removesuffix("s")
    return {name, f"{name}s", *([f"{name[:-2]}y"] if name.endswith("ie") else [])}


def _leftover(clause: str, named: Sequence[Words]) -> str:
    """Words of a clause that are neither filler nor a known value: a text to move by."""
    gone = {word for key in named for word in key}
    kept = [word for word in re.findall(r"[^\W_]+(?:'[^\W_]+)?", clause.lower()) if word not in _FILLER | gone]
    return " ".join(kept)
