"""Is every row usable? Columns, ids, times and ratings are checked, and a bad row is named by its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from genrec.data.errors import DataError, describe
from genrec.data.raw import Request

ID_COLUMNS = ("user_id", "item_id")
OPTIONAL = ("timestamp", "rating", "position")
# Such large numbers cannot be seconds (1e11 is the year 5138): they are milli-, micro- or nanoseconds.
_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))


def scan(file: Path, opener: Callable[[], pl.LazyFrame]) -> pl.LazyFrame:
    """Open a file lazily and turn polars' errors into ours.

    Args:
        file: File to name in an error.
        opener: Opens it.

    Returns:
        A lazy frame whose header has been read.

    Raises:
        DataError: If the file is missing or cannot be read.
    """
    if not file.is_file():
        raise DataError(describe("there is no such file", file=file, remedy="check the path"))
    try:
        lazy = opener()
        lazy.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(describe(f"the file cannot be read ({error})", file=file, remedy="write it again")) from error
    return lazy


def check_rows(lazy: pl.LazyFrame, file: Path, request: Request) -> pl.DataFrame:
    """Read the needed columns and check each row.

    Args:
        lazy: Columns under our names (user_id, item_id, possibly timestamp, rating, position) and `line`.
        file: The file, for messages.
        request: Policy for bad rows, and the time format.

    Returns:
        Checked rows: ids integer or text without nulls; timestamp and rating float, position integer.

    Raises:
        DataError: For a missing column, and for the first bad row under on_error="raise".
    """
    names = lazy.collect_schema().names()
    for column in ID_COLUMNS:
        if column not in names:
            what = f"column '{column}' is missing; there are {[n for n in names if n != 'line']}"
            raise DataError(describe(what, file=file, remedy=f"pass columns={{'{column}': <your column>, ...}}"))
    wanted = ["line", *ID_COLUMNS, *(name for name in OPTIONAL if name in names)]
    try:
        frame = lazy.select(wanted).collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            describe(f"the file cannot be read ({error})", file=file, remedy="repair or write it again")
        ) from error
    return _checked(frame, file, request)


def _checked(frame: pl.DataFrame, file: Path, request: Request) -> pl.DataFrame:
    """Convert column after column; rows that do not convert are reported and dropped."""
    for column in ID_COLUMNS:
        frame = _convert(
            frame,
            column,
            _ids(frame[column]),
            "null_id",
            f"{column} is null, empty or not an id",
            file,
            request,
        )
    if "timestamp" in frame.columns:
        times = _times(frame["timestamp"], request.time_format)
        what = "the time cannot be read as unix seconds or a date"
        frame = _convert(frame, "timestamp", times, "bad_time", what, file, request)
    for column, kind in (("rating", pl.Float64), ("position", pl.Int64)):
        if column in frame.columns:
            values = frame[column].cast(kind, strict=False)
            frame = _convert(frame, column, values, "wrong_type", f"{column} is not a number", file, request)
    return frame


def _convert(
    frame: pl.DataFrame, column: str, values: pl.Series, kind: str, what: str, file: Path, request: Request
) -> pl.DataFrame:
    """Put converted values in place; rows where they are null are reported and left out."""
    bad = values.is_null() & (frame[column].is_not_null() if column == "rating" else True)  # a rating may be absent
    remedy = {"bad_time": "pass time_format, or leave the column out", "null_id": "fill it in"}.get(kind, "correct it")
    for line, value in frame.filter(bad).select("line", column).iter_rows():
        request.log.bad(kind, what, file=file, line=line, value=value, remedy=remedy)
    return frame.with_columns(values.alias(column)).filter(~bad)


def _ids(values: pl.Series) -> pl.Series:
    """Ids as integers where all are plain integers, else as stripped text; unusable ones are null."""
    if values.dtype.is_integer():
        return values
    if values.dtype.is_float():
        whole = values.cast(pl.Int64, strict=False)
        return pl.select(pl.when(whole == values).then(whole)).to_series()
    if values.dtype.is_nested() or values.dtype == pl.Boolean:
        return pl.Series([None] * len(values), dtype=pl.String)
    text = values.cast(pl.String, strict=False).str.strip_chars()
    text = pl.select(pl.when(text != "").then(text)).to_series()
    return text.cast(pl.Int64) if text.str.contains(r"^(0|[1-9][0-9]{0,17})$").all() else text


def _times(values: pl.Series, time_format: str | None) -> pl.Series:
    """Unix seconds from numbers, dates or text; null where that fails."""
    if values.dtype.is_temporal():
        return values.cast(pl.Datetime("ms")).dt.timestamp("ms") / 1000
    numbers = values.cast(pl.Float64, strict=False)
    numbers = pl.select(pl.when(numbers.is_finite()).then(numbers)).to_series()
    if values.dtype == pl.String and (time_format or numbers.null_count() > len(values) // 2):
        return _parsed(values, time_format)
    return _seconds(numbers)


def _parsed(values: pl.Series, time_format: str | None) -> pl.Series:
    """Unix seconds from text: the given format, or the first ISO form that fits."""
    forms = [time_format] if time_format else ["%+", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d"]
    found = pl.Series([None] * len(values), dtype=pl.Datetime("ms"))
    for form in forms:
        parsed = values.str.strip_chars().str.to_datetime(form, time_unit="ms", strict=False, exact=True)
        if getattr(parsed.dtype, "time_zone", None):
            parsed = parsed.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        found = found.fill_null(parsed)
    return found.dt.timestamp("ms") / 1000


def _seconds(numbers: pl.Series) -> pl.Series:
    """Scale plain numbers to seconds by the size of their median."""
    median: Any = numbers.abs().median()
    scale = next((scale for limit, scale in _UNITS if median is not None and median >= limit), 1.0)
    return numbers / scale
