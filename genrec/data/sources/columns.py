"""Which of the user's columns is ours? An explicit mapping first, then names that other projects use."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl

from genrec.data.errors import DataError, describe
from genrec.data.raw import Request

ALIASES = {  # what other projects call our columns, tried when no mapping is given
    "user_id": ("user", "userid", "uid", "reviewerid", "customer_id"),
    "item_id": ("item", "itemid", "iid", "asin", "parent_asin", "product_id", "movieid", "movie_id"),
    "timestamp": ("time", "ts", "unixreviewtime", "date", "datetime"),
    "rating": ("overall", "stars", "score"),
}


def mapping(names: Collection[str], request: Request, wanted: Collection[str], file: Path) -> dict[str, str]:
    """Find the wanted columns in a table.

    Args:
        names: The table's columns.
        request: Explicit mapping; in the item table of `request.items` it is a hint, elsewhere binding.
        wanted: Our names.
        file: The table, to tell the item table.

    Returns:
        Our name to the table's, for what is there.
    """
    lower = {name.lower(): name for name in sorted(names, reverse=True)}
    explicit = request.columns or {}
    found: dict[str, str] = {}
    for ours in wanted:
        guesses = [ours, *ALIASES.get(ours, ())]
        if ours in explicit:
            guesses = [explicit[ours], *(guesses if file == request.items else ())]
        exact = [guess for guess in guesses if guess in names]
        similar = [lower[guess.lower()] for guess in guesses if guess.lower() in lower]
        if exact or similar:
            found[ours] = (exact or similar)[0]
    return found


def check_mapping(names: Collection[str], request: Request, wanted: Collection[str], file: Path) -> None:
    """Refuse a mapping to a column that is not there.

    Args:
        names: The table's columns.
        request: The mapping.
        wanted: Our names that concern this table.
        file: The table.

    Raises:
        DataError: Names the missing column and the ones that are there.
    """
    found = mapping(names, request, wanted, file)
    for ours, theirs in (request.columns or {}).items():
        if ours in wanted and ours not in found and file != request.items:
            there = [name for name in names if name != "line"]
            what = f"column '{theirs}' (mapped to {ours}) is missing; there are {there}"
            raise DataError(describe(what, file=file, remedy="correct columns={...}"))


def renamed(lazy: pl.LazyFrame, request: Request, wanted: Collection[str], file: Path) -> pl.LazyFrame:
    """Select the wanted columns, and `line` where it exists, under our names.

    Args:
        lazy: The table.
        request: The mapping.
        wanted: Our names.
        file: The table's path.

    Returns:
        A lazy frame with those of the wanted columns that are there.

    Raises:
        DataError: If the mapping names a column that is not there.
    """
    names = lazy.collect_schema().names()
    check_mapping(names, request, wanted, file)
    line = [pl.col("line")] if "line" in names else []
    found: Mapping[str, str] = mapping(names, request, wanted, file)
    return lazy.select(*line, *(pl.col(theirs).alias(ours) for ours, theirs in found.items()))
