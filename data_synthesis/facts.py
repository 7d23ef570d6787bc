"""What does the catalogue know about each item that a reason may cite? Attributes and telling title words."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from data_synthesis.names import ItemNames, cut_at_word
from data_synthesis.text import STOPWORDS, clean, words

COMMON_SHARE = 0.5  # an attribute of more than half of the items tells nothing
LINE_SHARE = 0.01  # a title word of at most this share of the items is telling
ERA_WEIGHT = 0.6  # a shared year says less about taste than an equally rare genre
MAX_VALUE_WORDS = 5
_MAIN = re.compile(r"[:(,]")
_SKIPPED_KINDS = frozenset({"description", "title", "price", "keywords"})


class CatalogueView(Protocol):
    """The part of `genrec.data.catalogue.Catalogue` that the teacher reads."""

    @property
    def titles(self) -> list[str]:
        """A readable name per item."""

    @property
    def item_ids(self) -> list[str]:
        """The id of each item."""

    def attributes(self, index: int, /) -> Mapping[str, Sequence[str]]:
        """Attribute values by kind, e.g. `{"genres": ["Drama"], "year": ["1996"]}`."""


@dataclass(frozen=True)
class Attribute:
    """One citable fact: `value` as shown, `key` as compared, `kind` as the catalogue calls it."""

    kind: str
    value: str
    key: tuple[str, ...]


class ItemFacts:
    """Names, attributes and telling title words of every item.

    Attributes:
        item_ids: Item ids by item.
        names: `ItemNames` of the catalogue.
        attributes: Per item its attributes by key, uninformative ones removed.
        weight: By attribute key, log(num_items / items that have it): rare attributes say more.
        telling: Per item the title words that few other titles have (a franchise or product line).
        line_words: Words that alone make a line: main titles of one word, and brands.
        vocabulary: Per item all words of its title and attributes.
    """

    def __init__(self, catalogue: CatalogueView) -> None:
        self.item_ids = list(catalogue.item_ids)
        self.names = ItemNames(catalogue.titles)
        size = len(self.item_ids)
        raw = [_raw_attributes(catalogue.attributes(item)) for item in range(size)]
        raw = _with_eras(raw)
        counts = Counter(key for attributes in raw for key in attributes)
        common = {key for key, count in counts.items() if size >= 10 and count > COMMON_SHARE * size}
        self.attributes = [{k: a for k, a in found.items() if k not in common} for found in raw]
        self.weight = {key: _weight(size, count) for key, count in counts.items()}
        for found in raw:
            for key, attribute in found.items():
                if attribute.kind == "era":
                    self.weight[key] = ERA_WEIGHT * _weight(size, counts[key])
        self.telling, self.word_weight = _telling_words([words(title) for title in self.names.titles])
        self.line_words = _line_words(self.names.titles, raw)
        self.vocabulary = [
            frozenset(words(title)).union(*found) if found else frozenset(words(title))
            for title, found in zip(self.names.titles, raw, strict=True)
        ]
        self._index = {item_id: item for item, item_id in enumerate(self.item_ids)}

    def index_of(self, item_id: str) -> int:
        """The dense index of an item id.

        Raises:
            ValueError: The catalogue has no such item.
        """
        if item_id not in self._index:
            raise ValueError(f"item {item_id!r} is not in the catalogue of {len(self.item_ids)} items")
        return self._index[item_id]

    def knows(self, item_ids: Iterable[str]) -> bool:
        """True when the catalogue has every one of the ids."""
        return all(item_id in self._index for item_id in item_ids)

    def words_of(self, items: Iterable[int]) -> set[str]:
        """All title and attribute words of some items."""
        return set().union(*(self.vocabulary[item] for item in items))


def _weight(size: int, count: int) -> float:
    """Inverse document frequency, always above 0."""
    return math.log(size / count) + 0.1


def _raw_attributes(found: Mapping[str, Sequence[str]]) -> dict[tuple[str, ...], Attribute]:
    """Cleaned attributes by key; long texts are no attributes."""
    result: dict[tuple[str, ...], Attribute] = {}
    for kind, values in found.items():
        if kind in _SKIPPED_KINDS:
            continue
        for value in values:
            shown = cut_at_word(clean(str(value)), 40)
            key = words(shown)
            if key and len(key) <= MAX_VALUE_WORDS and shown.casefold() != "unknown":
                result.setdefault(key, Attribute(kind, shown, key))
    return result


def _with_eras(
    raw: list[dict[tuple[str, ...], Attribute]],
) -> list[dict[tuple[str, ...], Attribute]]:
    """Replaces years by decades, but keeps the year itself in a decade that holds most of the items."""
    years = [_year_of(found) for found in raw]
    decades = Counter(year // 10 for year in years if year)
    crowded = {decade for decade, count in decades.items() if count > 0.4 * sum(decades.values())}
    result = []
    for found, year in zip(raw, years, strict=True):
        kept = {key: a for key, a in found.items() if a.kind != "year"}
        if year:
            shown = str(year) if year // 10 in crowded else f"{year // 10 * 10}s"
            kept[words(shown)] = Attribute("era", shown, words(shown))
        result.append(kept)
    return result


def _year_of(found: Mapping[tuple[str, ...], Attribute]) -> int:
    """The item's year, or 0 when the catalogue has none that is plausible."""
    for attribute in found.values():
        if attribute.kind == "year" and attribute.value[:4].isdigit():
            return int(attribute.value[:4])
    return 0


def _line_words(titles: Sequence[str], raw: Sequence[Mapping[tuple[str, ...], Attribute]]) -> frozenset[str]:
    """One-word main titles (the part before a colon, a bracket or a comma) and one-word brands."""
    mains = (words(_MAIN.split(title)[0]) for title in titles)
    brands = (key for found in raw for key, attribute in found.items() if attribute.kind == "brand")
    return frozenset(key[0] for keys in (mains, brands) for key in keys if len(key) == 1)


def _telling_words(titles: Sequence[tuple[str, ...]]) -> tuple[list[frozenset[str]], dict[str, float]]:
    """Per title the words that at least one and at most 1 % of the other titles share, and their weights."""
    counts = Counter(word for title in titles for word in set(title))
    limit = max(5, LINE_SHARE * len(titles))
    telling = {
        word
        for word, count in counts.items()
        if 2 <= count <= limit and len(word) >= 3 and word.isalpha() and word not in STOPWORDS
    }
    weights = {word: math.log(len(titles) / counts[word]) for word in telling}
    return [frozenset(telling.intersection(title)) for title in titles], weights
