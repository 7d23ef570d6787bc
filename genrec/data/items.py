"""What columns does an item have? Cleaning of raw item records, and the frame they are kept in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from genrec.data.text import clean_text, flat_names, plain_scalar

LIST_COLUMNS = ("categories", "genres", "actors", "director", "reviews")
TEXT_COLUMNS = ("title", "description", "brand", "keywords")
ITEM_SCHEMA: dict[str, Any] = {
    "item_id": pl.String,
    "title": pl.String,
    "description": pl.String,
    "brand": pl.String,
    "categories": pl.List(pl.String),
}


def clean_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """Clean one raw item record; empty values become None.

    Args:
        record: item_id and any fields; values that are neither text, number nor a known list are left out.

    Returns:
        The same fields with readable texts and flat lists.
    """
    row: dict[str, Any] = {"item_id": str(record["item_id"])}
    for name, value in record.items():
        if name in LIST_COLUMNS:
            listed = value.split(", ") if isinstance(value, str) and name == "actors" else value
            row[name] = flat_names(listed) or None
        elif name in TEXT_COLUMNS:
            row[name] = clean_text(value) or None
        elif name != "item_id" and (value is None or isinstance(value, (str, int, float))):
            row[name] = plain_scalar(value) if isinstance(value, str) else value
    return row


def standard_frame(frame: pl.DataFrame) -> pl.DataFrame:
    """Order the columns, add missing ones, drop extras that are null everywhere, number the rows.

    Args:
        frame: Items with at least item_id.

    Returns:
        Columns item_index, then those of `ITEM_SCHEMA`, then the extras.
    """
    missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in ITEM_SCHEMA.items() if name not in frame.columns]
    frame = frame.with_columns(missing).cast(pl.Schema(ITEM_SCHEMA))
    frame = frame.with_columns(pl.col("categories").fill_null([]))
    extras = [
        c for c in frame.columns if c not in ITEM_SCHEMA and c != "item_index" and frame[c].null_count() < len(frame)
    ]
    index = pl.int_range(pl.len(), dtype=pl.Int64).alias("item_index")
    return frame.select(index, *ITEM_SCHEMA, *extras)
