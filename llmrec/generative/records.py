"""What is known about an item that may be said about it? One record per item, and a lexicon of all values.

Everything the checker accepts stands here; everything else is an invention.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.catalogue import Catalogue

Words = tuple[str, ...]
_TOKEN = re.compile(r"[^\W_]+(?:['’`´][^\W_]+)*(?:\.\d+)?")
_WORD = re.compile(r"[^\W_]+(?:\.\d+)?")
_QUOTED = re.compile(r'(?<!\d)["“«‹]([^"”»›]{1,200})["”»›]')
_APOSTROPHES = re.compile(r"['’`´]")
MAX_VALUE_WORDS, MAX_TITLE_WORDS = 6, 30
PRICE_COLUMNS = ("price",)
_COMMON_WORDS = """
a an and are as at be but by for from had has have i if in into is it its like more most my new no not of off on one
only or other our so some such than that the their them then there these they this those to too under up very was we
were what when which who will with you your all best good great product products set size
"""
COMMON = frozenset(_COMMON_WORDS.split())


def words(text: str) -> Words:
    """Case-folded words without punctuation; numbers keep their decimals: "L'Oreal 5.5 oz" -> loreal, 5.5, oz."""
    plain = unicodedata.normalize("NFKC", _APOSTROPHES.sub("", text)).casefold()
    return tuple(_WORD.findall(plain))


def quoted(text: str) -> list[str]:
    """What stands between quotation marks; the sign of inches behind a number opens none."""
    return [part for part in _QUOTED.findall(text) if words(part)]


@dataclass(frozen=True)
class Value:
    """An attribute value: its kind (brand, genres, year, ...) and how it is shown."""

    kind: str
    text: str


@dataclass(frozen=True)
class Record:
    """What the catalogue says about one item.

    Attributes:
        item: dense index.
        item_id: the catalogue's id.
        title: shown name.
        values: attribute values by their words.
        price: in the catalogue's currency, or None.
        year: or None.
        vocabulary: all words of title, attributes and description.
    """

    item: int
    item_id: str
    title: str
    values: dict[Words, Value]
    price: float | None
    year: int | None
    vocabulary: frozenset[str]


@dataclass(frozen=True)
class Name:
    """A known name in a text: an item's title or a value.

    Attributes:
        start: its first character.
        end: behind its last one.
        key: its words.
        means: dense item whose title it is, or a value.
    """

    start: int
    end: int
    key: Words
    means: int | Value


class Records:
    """Records of a catalogue, and which words name which value.

    Args:
        catalogue: the items.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        rows = catalogue.frame.to_dicts()
        self.all = [_record(catalogue, item, row) for item, row in enumerate(rows)]

    def __len__(self) -> int:
        return len(self.all)

    def __getitem__(self, item: int) -> Record:
        return self.all[item]

    @cached_property
    def items(self) -> dict[str, int]:
        """Dense items by their ids."""
        return {record.item_id: record.item for record in self.all}

    @cached_property
    def prices(self) -> NDArray[np.float64]:
        """Prices (V,), NaN where unknown."""
        return np.array([np.nan if record.price is None else record.price for record in self.all])

    @cached_property
    def years(self) -> NDArray[np.float64]:
        """Years (V,), NaN where unknown."""
        return np.array([np.nan if record.year is None else record.year for record in self.all])

    def holders(self, key: Words) -> list[int]:
        """Dense items that have a value, given by its words."""
        return self._holders.get(key, [])

    @cached_property
    def _holders(self) -> dict[Words, list[int]]:
        found: dict[Words, list[int]] = {}
        for record in self.all:
            for key in record.values:
                found.setdefault(key, []).append(record.item)
        return found

    @cached_property
    def lexicon(self) -> dict[Words, Value]:
        """Every attribute value of the catalogue by its words; words too common to name anything are left out."""
        found: dict[Words, Value] = {}
        for record in self.all:
            for key, value in record.values.items():
                found.setdefault(key, value)
        return {key: value for key, value in found.items() if not COMMON.issuperset(key)}

    @cached_property
    def titles(self) -> dict[Words, int]:
        """Items by the words of their title; of equal titles the first item."""
        found: dict[Words, int] = {}
        for record in self.all:
            found.setdefault(words(record.title), record.item)
        return found

    @cached_property
    def frequency(self) -> Counter[Words]:
        """How many items have each value."""
        return Counter(key for record in self.all for key in record.values)

    def mentions(self, text: str) -> list[tuple[Words, Value]]:
        """Values that a text names, longest first at each place, none inside another."""
        return [(key, self.lexicon[key]) for key in runs(words(text), self.lexicon, MAX_VALUE_WORDS)]

    def titles_in(self, text: str, least_words: int = 2) -> list[int]:
        """Items whose whole title stands in a text; one-word titles only where they are quoted."""
        keys = runs(words(text), self.titles, MAX_TITLE_WORDS)
        marked = {words(part) for part in quoted(text)}
        return [self.titles[key] for key in keys if len(key) >= least_words or key in marked]

    @cached_property
    def names(self) -> dict[Words, int | Value]:
        """What a message can mean by its words: values, and items by titles of two words and more."""
        titles = {key: item for key, item in self.titles.items() if len(key) > 1}
        return {**self.lexicon, **titles}

    def names_in(self, text: str) -> list[Name]:
        """Known names in a text with their places, longest first at each place, none inside another."""
        tokens = [(word, *found.span()) for found in _TOKEN.finditer(text) for word in words(found[0])]
        said = [word for word, _, _ in tokens]
        found, at = [], 0
        for key in runs(said, self.names, MAX_TITLE_WORDS):
            at = next(n for n in range(at, len(said)) if tuple(said[n : n + len(key)]) == key)
            found.append(Name(tokens[at][1], tokens[at + len(key) - 1][2], key, self.names[key]))
            at += len(key)
        return found


def runs(text: Sequence[str], known: Container[Words], longest: int) -> list[Words]:
    """Keys of `known` that occur as runs of words, left to right, longest first, without overlap."""
    found, at = [], 0
    while at < len(text):
        size = next((n for n in range(min(longest, len(text) - at), 0, -1) if tuple(text[at : at + n]) in known), 0)
        if size:
            found.append(tuple(text[at : at + size]))
        at += max(size, 1)
    return found


def _record(catalogue: Catalogue, item: int, row: dict[str, Any]) -> Record:
    values: dict[Words, Value] = {}
    for kind, listed in catalogue.attributes(item).items():
        for text in listed:
            key = words(str(text))
            if key and len(key) <= MAX_VALUE_WORDS:
                values.setdefault(key, Value(kind, str(text)))
    title, described = catalogue.titles[item], str(row.get("description") or "")
    vocabulary = (
        frozenset(words(f"{title} {described}")).union(*values) if values else frozenset(words(f"{title} {described}"))
    )
    return Record(
        item, catalogue.item_ids[item], title, values, _number(row, PRICE_COLUMNS), _year(row.get("year")), vocabulary
    )


def _number(row: dict[str, Any], names: Iterable[str]) -> float | None:
    """First of some columns that holds a number; `$1,299.00` is one."""
    for name in names:
        found = re.search(r"\d+(?:\.\d+)?", str(row.get(name) or "").replace(",", ""))
        if found:
            return float(found[0])
    return None


def _year(value: Any) -> int | None:
    found = re.match(r"(1[89]|20)\d\d", str(value or ""))
    return int(found[0]) if found else None
