"""How is a folder of interactions.parquet and items.jsonl.gz read?"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from genrec.data.errors import DataError, describe
from genrec.data.raw import RawData, Request
from genrec.data.sources.checks import check_rows, scan
from genrec.data.sources.jsonlines import read_objects
from genrec.data.sources.reviews import Evidence

logger = logging.getLogger(__name__)
INTERACTIONS, ITEMS, REVIEWS = "interactions.parquet", "items.jsonl.gz", "reviews.jsonl.gz"


def matches(path: Path) -> bool:
    """Whether a path is such a folder."""
    return (path / INTERACTIONS).is_file()


def read(path: Path, request: Request) -> RawData:
    """Read the folder.

    Args:
        path: Folder with interactions.parquet (user_id, item_id, position and possibly rating, timestamp),
            items.jsonl.gz and possibly reviews.jsonl.gz.
        request: Policy for bad rows.

    Returns:
        The raw data.

    Raises:
        DataError: If a file or column is missing, or a row is bad.
    """
    file = path / INTERACTIONS
    lazy = scan(file, lambda: pl.scan_parquet(file)).with_row_index("line", offset=1)
    frame = check_rows(lazy, file, request)
    return RawData(
        name=path.name,
        interactions=frame,
        items=lambda kept: _items(path / ITEMS, kept, request),
        reviews=(lambda training: _reviews(path / REVIEWS, training, request)) if (path / REVIEWS).is_file() else None,
        file=file,
        info={"source": "folder", "path": path.name},
    )


def _items(path: Path, kept: set[str], request: Request) -> Iterator[dict[str, Any]]:
    """Stream the records of the kept items."""
    if not path.is_file():
        raise DataError(describe("the item file is missing", file=path, remedy="write one JSON object per item there"))
    for line, row in read_objects(path, request.log):
        if row.get("item_id") is None:
            request.log.bad("null_id", "an item has no item_id", file=path, line=line, value=row, remedy="give it one")
        elif str(row["item_id"]) in kept:
            yield {**row, **_parts(row.get("categories_brand_text"))}


def _parts(text: str | None) -> dict[str, Any]:
    """Read categories, features and brand out of "A, B, </span></span></span>, a feature, by Brand".

    The mark `</span>` ends the category path; without it the last part is the brand.
    """
    if not text:
        return {"categories_brand_text": None}
    path, mark, rest = text.partition("</span></span></span>")
    names = [name for name in path.split(", ") if name.strip(", ")]
    if not mark:
        return {
            "categories": names[:-1],
            "brand": names[-1] if len(names) > 1 else None,
            "categories_brand_text": None,
        }
    features, _, brand = rest.rpartition("by ")
    parts = {
        "categories": names,
        "brand": brand,
        "description": features.strip(", "),
        "categories_brand_text": None,
    }
    return {key: value or None for key, value in parts.items()}


def _reviews(path: Path, training: pl.DataFrame, request: Request) -> dict[str, list[str]]:
    """Reviews of training interactions, matched by user and position."""
    allowed = set(training.select(pl.col("user_id").cast(pl.String), "position").iter_rows())
    evidence = Evidence()
    for _, row in read_objects(path, request.log):
        if (str(row.get("user_id")), row.get("position")) in allowed:
            evidence.add(str(row["item_id"]), row.get("rating"), row.get("text"))
    return evidence.by_item
