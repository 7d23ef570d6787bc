"""How does a user bring a table? CSV, TSV, Parquet or JSON lines, with a mapping to our column names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from genrec.data.errors import DataError, SkipLog, describe
from genrec.data.raw import RawData, Request
from genrec.data.sources.checks import ID_COLUMNS, OPTIONAL, check_rows, scan
from genrec.data.sources.columns import check_mapping, mapping, renamed
from genrec.data.sources.csvtable import SEPARATORS, read_csv
from genrec.data.sources.jsonlines import read_objects
from genrec.data.text import plain_scalar

INTERACTION_FIELDS = (*ID_COLUMNS, *OPTIONAL)
ITEM_FIELDS = (
    "item_id",
    "title",
    "description",
    "brand",
    "categories",
    "genres",
    "keywords",
    "price",
    "year",
)
LIST_SEPARATOR = "|"  # how one text cell lists several categories or genres
JSON_KINDS = (".jsonl", ".json", ".ndjson")
_CHUNK_ROWS = 100_000


def matches(path: Path) -> bool:
    """Whether a path is a table by its name."""
    return path.is_file() and _kind(path) in (*SEPARATORS, ".parquet", *JSON_KINDS)


def read(path: Path, request: Request) -> RawData:
    """Read interactions from a table, and item fields from the same or a second table.

    Args:
        path: CSV/TSV (possibly gzipped), Parquet or JSON lines (possibly gzipped).
        request: `columns` maps our names (user_id, item_id, timestamp, rating, position and item fields) to
            the table's; `items` is a second table with item fields.

    Returns:
        The raw data.

    Raises:
        DataError: For a missing column or a bad row.
    """
    return RawData(
        name=path.name.removesuffix(".gz").rsplit(".", 1)[0],
        interactions=check_rows(_interactions(path, request), path, request),
        items=lambda kept: _records(request.items or path, request, kept),
        file=path,
        info={"source": "tabular", "path": path.name, "columns": dict(request.columns or {})},
    )


def _interactions(path: Path, request: Request) -> pl.LazyFrame:
    """Interaction columns under our names, and `line`."""
    if _kind(path) in SEPARATORS:
        return _csv(path, request, INTERACTION_FIELDS, request.log).lazy()
    if _kind(path) in JSON_KINDS:
        return _json_frame(path, request).lazy()
    lazy = scan(path, lambda: pl.scan_parquet(path)).with_row_index("line", offset=1)
    return renamed(lazy, request, INTERACTION_FIELDS, path)


def _csv(path: Path, request: Request, wanted: tuple[str, ...], log: SkipLog) -> pl.DataFrame:
    """Some columns of a CSV under our names."""
    return read_csv(path, SEPARATORS[_kind(path)], lambda lazy: renamed(lazy, request, wanted, path), log)


def _json_frame(path: Path, request: Request) -> pl.DataFrame:
    """Interaction fields of JSON lines as text, read in chunks."""
    schema: dict[str, Any] = {"line": pl.Int64, **dict.fromkeys(INTERACTION_FIELDS, pl.String)}
    chunks: list[pl.DataFrame] = []
    rows: list[dict[str, Any]] = []
    seen: dict[str, None] = {}
    for line, row in read_objects(path, request.log):
        seen.update(dict.fromkeys(row))
        names = mapping(row.keys(), request, INTERACTION_FIELDS, path)
        rows.append({"line": line, **{ours: plain_scalar(row[theirs]) for ours, theirs in names.items()}})
        if len(rows) == _CHUNK_ROWS:
            chunks.append(pl.DataFrame(rows, schema=schema))
            rows = []
    check_mapping(seen, request, INTERACTION_FIELDS, path)
    present = mapping(seen, request, INTERACTION_FIELDS, path)
    return pl.concat([*chunks, pl.DataFrame(rows, schema=schema)]).select("line", *present)


def _records(path: Path, request: Request, kept: set[str]) -> Iterable[Mapping[str, Any]]:
    """Records of kept items; the first row of an item wins, later rows fill what it lacks."""
    found: dict[str, dict[str, Any]] = {}
    for row in _item_rows(path, request):
        key = (plain_scalar(row["item_id"]) or "").strip()
        if key in kept:
            record = found.setdefault(key, {"item_id": key})
            fresh = {name: _listed(name, value) for name, value in row.items() if not record.get(name)}
            record.update({name: value for name, value in fresh.items() if value not in (None, "", [])})
    return found.values()


def _listed(name: str, value: Any) -> Any:
    """Split "A|B" in columns that hold lists."""
    if name in ("categories", "genres") and isinstance(value, str):
        return value.split(LIST_SEPARATOR)
    return value


def _item_rows(path: Path, request: Request) -> Iterator[dict[str, Any]]:
    """Stream item fields under our names; bad rows of the interaction table were reported before."""
    log = request.log if path == request.items else SkipLog("skip")
    if _kind(path) in JSON_KINDS:
        for _, row in read_objects(path, log):
            names = mapping(row.keys(), request, ITEM_FIELDS, path)
            if "item_id" in names:
                yield {ours: row[theirs] for ours, theirs in names.items()}
        return
    if _kind(path) in SEPARATORS:
        lazy = _csv(path, request, ITEM_FIELDS, log).lazy()
    else:
        lazy = renamed(scan(path, lambda: pl.scan_parquet(path)), request, ITEM_FIELDS, path)
    there = [name for name in lazy.collect_schema().names() if name != "line"]
    if "item_id" not in there:
        raise DataError(describe(f"column 'item_id' is missing; there are {there}", file=path))
    rows = lazy.select(there).filter(pl.col("item_id").is_not_null()).unique(maintain_order=True)
    yield from rows.collect(engine="streaming").iter_rows(named=True)


def _kind(path: Path) -> str:
    """The file's ending without .gz, in lower case."""
    return Path(path.name.removesuffix(".gz")).suffix.lower()
