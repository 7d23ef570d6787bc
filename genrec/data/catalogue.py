"""What is there to recommend? The items with their texts, addressed by dense index or by id."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from genrec.data.errors import DataError, describe
from genrec.data.files import write_whole
from genrec.data.items import ITEM_SCHEMA, clean_record, standard_frame
from genrec.data.sources.jsonlines import read_records
from genrec.data.text import flat_names

ATTRIBUTE_COLUMNS = ("brand", "categories", "genres", "year", "director", "actors")
ALIAS_COLUMNS = ("asin", "business_id")


class Catalogue:
    """Items in dense order: row i of `frame` is the item with index i.

    Attributes:
        frame: Columns item_index (0..n-1), item_id, title, description, brand, categories (list of
            names) and whatever else the source knows (keywords, year, genres, asin, reviews, ...).
    """

    def __init__(self, frame: pl.DataFrame) -> None:
        """Take over a frame of items.

        Args:
            frame: At least a column item_id; missing standard columns are added empty.

        Raises:
            DataError: If item_id is missing, null or not unique.
        """
        if "item_id" not in frame.columns:
            raise DataError(describe("the catalogue has no column 'item_id'", value=frame.columns))
        self.frame = standard_frame(frame)
        ids = self.frame["item_id"]
        if ids.null_count() or ids.n_unique() != len(ids):
            repeated = ids.filter(ids.is_duplicated() | ids.is_null()).head(1).to_list()
            raise DataError(
                describe("an item_id is null or occurs twice", value=repeated, remedy="keep one row per item")
            )

    @classmethod
    def from_records(cls, records: Iterable[Mapping[str, Any]]) -> Catalogue:
        """Build a catalogue from raw item records: texts are cleaned, category paths flattened.

        Args:
            records: One mapping per item in dense order, each with item_id.

        Returns:
            The catalogue.
        """
        rows = [clean_record(record) for record in records]
        return cls(pl.DataFrame(rows, schema_overrides=ITEM_SCHEMA, infer_schema_length=None, strict=False))

    def __len__(self) -> int:
        """Number of items."""
        return len(self.frame)

    @cached_property
    def item_ids(self) -> list[str]:
        """The items' ids as text, in dense order."""
        return self.frame["item_id"].to_list()

    @cached_property
    def titles(self) -> list[str]:
        """A readable name per item, never empty: title, else keywords, else "item <id>"."""
        return [_first_text(row, "title", "keywords") or f"item {_name(row)}" for row in self._rows]

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        return self.frame.to_dicts()

    @cached_property
    def _index(self) -> dict[str, int]:
        index: dict[str, int] = {}
        for column in (*reversed([c for c in ALIAS_COLUMNS if c in self.frame.columns]), "item_id"):
            index.update((key, i) for i, key in enumerate(self.frame[column].to_list()) if key is not None)
        return index

    def index_of(self, item_id: str | int) -> int:
        """Find an item's dense index.

        Args:
            item_id: The item's id, or its asin / business_id where the source has one.

        Returns:
            Dense index.

        Raises:
            DataError: If there is no such item; shows what ids look like.
        """
        try:
            return self._index[str(item_id)]
        except KeyError:
            example = ", ".join(self.item_ids[:3])
            remedy = f"use an id of this catalogue, such as {example}"
            raise DataError(describe("there is no such item", value=item_id, remedy=remedy)) from None

    def attributes(self, i: int) -> dict[str, list[str]]:
        """Collect the objective attributes of an item.

        Args:
            i: Dense index.

        Returns:
            Attribute name (brand, categories, genres, year, director, actors) to its values; no empty ones.
        """
        row = self._rows[i]
        found = {name: flat_names(row.get(name)) for name in ATTRIBUTE_COLUMNS}
        return {name: values for name, values in found.items() if values}

    def text(self, i: int) -> str:
        """Fuse all evidence about an item into one description; nothing is invented.

        Args:
            i: Dense index.

        Returns:
            Title, attributes, description and, where the source has them, training reviews.

        Source:
            METHODS 1.1: without a language model the fused evidence itself is the description.
        """
        row, parts = self._rows[i], [self.titles[i]]
        for name, values in self.attributes(i).items():
            parts.append(f"{name.capitalize()}: {', '.join(values)}")
        if row["title"] and row.get("keywords"):
            parts.append(f"Keywords: {row['keywords']}")
        parts += [row["description"]] if row["description"] else []
        parts += [f"A buyer says: {review}" for review in row.get("reviews") or []]
        return " ".join(part if part.endswith((".", "!", "?")) else f"{part}." for part in parts)

    def texts(self) -> list[str]:
        """The fused description of every item, in dense order."""
        return [self.text(i) for i in range(len(self))]

    def subset(self, items: Sequence[int]) -> Catalogue:
        """Keep some items, in this order: the first becomes dense item 0.

        Args:
            items: Dense indices, each at most once.
        """
        return Catalogue(self.frame[list(items)])

    def with_reviews(self, reviews: Mapping[str, list[str]]) -> Catalogue:
        """Return a catalogue whose items carry reviews as evidence.

        Args:
            reviews: Item id to cleaned review texts, from training interactions only.

        Returns:
            A new catalogue with a column `reviews`.
        """
        column = pl.Series("reviews", [reviews.get(i, []) for i in self.item_ids], dtype=pl.List(pl.String))
        return Catalogue(self.frame.with_columns(column))

    def with_descriptions(self, descriptions: Mapping[str, str]) -> Catalogue:
        """Return a catalogue with rewritten descriptions, which stand for all evidence about their items.

        Args:
            descriptions: Item id to text; an item without one keeps what it has.

        Returns:
            A new catalogue. Items with a new description lose their reviews: the text was made of them.

        Raises:
            DataError: An id is not in the catalogue.
        """
        for item_id in descriptions:
            self.index_of(item_id)
        texts = [descriptions.get(row["item_id"], row["description"]) for row in self._rows]
        frame = self.frame.with_columns(pl.Series("description", texts, dtype=pl.String))
        if "reviews" in frame.columns:
            kept = [[] if row["item_id"] in descriptions else row["reviews"] for row in self._rows]
            frame = frame.with_columns(pl.Series("reviews", kept, dtype=pl.List(pl.String)))
        return Catalogue(frame)

    def save(self, path: str | Path) -> None:
        """Write one JSON object per item; gzip when the name ends in .gz (same bytes each time)."""
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self._rows).encode("utf-8")
        write_whole(path, gzip.compress(lines, mtime=0) if str(path).endswith(".gz") else lines)

    @classmethod
    def load(cls, path: str | Path) -> Catalogue:
        """Read what `save` wrote."""
        return cls(pl.DataFrame(list(read_records(path)), schema_overrides=ITEM_SCHEMA, infer_schema_length=None))


def _first_text(row: Mapping[str, Any], *names: str) -> str:
    """The first non-empty text among some columns."""
    return next((row[name] for name in names if row.get(name)), "")


def _name(row: Mapping[str, Any]) -> str:
    """The id a reader would recognise: asin or business id before a bare number."""
    return _first_text(row, *ALIAS_COLUMNS) or str(row["item_id"])
