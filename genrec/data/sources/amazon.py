"""How are the raw Amazon review dumps of 2014 and 2018 read? Reviews, metadata, and reviews as evidence.

Both are JSON lines with reviewerID, asin, overall, unixReviewTime and reviewText; the 2014 metadata is
written as Python dictionaries. The review file is read twice: first ids, ratings and times, then the texts
of kept lines only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from genrec.data.errors import DataError, SkipLog, describe
from genrec.data.raw import RawData, Request
from genrec.data.sources.checks import check_rows
from genrec.data.sources.jsonlines import parse_json, parse_json_or_python, read_lines, read_objects
from genrec.data.sources.reviews import MIN_RATING, Evidence
from genrec.data.text import plain_scalar

FIELDS = {"reviewerID": "user_id", "asin": "item_id", "unixReviewTime": "timestamp", "overall": "rating"}
ENDINGS = (".json", ".json.gz", ".jsonl", ".jsonl.gz")
DEFAULT_CORE = 5
_CHUNK_ROWS = 200_000


def matches(path: Path) -> bool:
    """Whether a path is a review dump, or a folder that holds one."""
    if path.is_dir():
        return any(matches(file) for file in _candidates(path))
    if not path.name.endswith(ENDINGS):
        return False
    first = next((row for _, row in read_objects(path, SkipLog("skip"))), {})
    return "reviewerID" in first and "asin" in first


def read(path: Path, request: Request) -> RawData:
    """Read a dump.

    Args:
        path: The review file, or a folder with one review file and, possibly, its meta_*.json[.gz].
        request: `items` names the metadata file when it is elsewhere; policy for bad rows.

    Returns:
        The raw data; by default 5-core, and of repeated (user, item) pairs the first.

    Raises:
        DataError: If a folder holds several dumps, or a row is bad.
    """
    file = _one_dump(path) if path.is_dir() else path
    meta = request.items or _meta_beside(file)
    name = file.name.split(".")[0].removeprefix("reviews_")
    return RawData(
        name=f"amazon_{name}".lower(),
        interactions=check_rows(_interactions(file, request).lazy(), file, request),
        items=lambda kept: _items(meta, kept, request) if meta else (),
        reviews=lambda training: _reviews(file, training),
        file=file,
        info={"source": "amazon", "file": file.name, "metadata": meta.name if meta else None},
        k_core=DEFAULT_CORE,
        repeats="first",
    )


def _candidates(folder: Path) -> list[Path]:
    """Files of a folder that may be review dumps."""
    return sorted(f for f in folder.iterdir() if f.name.endswith(ENDINGS) and not f.name.startswith("meta_"))


def _one_dump(folder: Path) -> Path:
    """The only review dump of a folder."""
    dumps = [file for file in _candidates(folder) if matches(file)]
    if len(dumps) != 1:
        names = [file.name for file in dumps]
        raise DataError(
            describe("the folder holds several review files", file=folder, value=names, remedy="pass one of them")
        )
    return dumps[0]


def _meta_beside(file: Path) -> Path | None:
    """The metadata file of the same category, such as meta_Beauty.json.gz beside reviews_Beauty_5.json.gz."""
    stem = file.name.split(".")[0].removeprefix("reviews_").removesuffix("_5")
    names = [f"meta_{stem}{ending}" for ending in ENDINGS]
    return next((file.parent / name for name in names if (file.parent / name).is_file()), None)


def _interactions(file: Path, request: Request) -> pl.DataFrame:
    """First pass: ids, times and ratings as text, chunk by chunk; the review texts are not kept."""
    schema: dict[str, Any] = {"line": pl.Int64, **dict.fromkeys(FIELDS.values(), pl.String)}
    chunks: list[pl.DataFrame] = []
    rows: list[tuple[Any, ...]] = []
    for line, row in read_objects(file, request.log):
        rows.append((line, *(plain_scalar(row.get(key)) for key in FIELDS)))
        if len(rows) == _CHUNK_ROWS:
            chunks.append(pl.DataFrame(rows, schema=schema, orient="row"))
            rows = []
    return pl.concat([*chunks, pl.DataFrame(rows, schema=schema, orient="row")])


def _items(meta: Path, kept: set[str], request: Request) -> Iterator[dict[str, Any]]:
    """Stream metadata of kept items; the 2018 dump lists some items twice, the first is taken."""
    left = set(kept)
    for line, row in read_objects(meta, request.log, parse_json_or_python):
        if row.get("asin") is None:
            request.log.bad("null_id", "an item has no asin", file=meta, line=line, value=row, remedy="remove the line")
        elif row["asin"] in left:
            left.remove(row["asin"])
            yield _item(row)


def _item(row: dict[str, Any]) -> dict[str, Any]:
    """One metadata row under our names: 2014 has `categories` (paths), 2018 `category` (a path)."""
    texts = [row.get("description"), row.get("feature")]
    parts = [part for text in texts for part in (text if isinstance(text, list) else [text]) if part]
    price = row.get("price")
    return {
        "item_id": row["asin"],
        "title": row.get("title"),
        "description": parts,
        "brand": row.get("brand"),
        "categories": row.get("categories") or row.get("category"),
        "price": str(price) if price not in (None, "") else None,
    }


def _reviews(file: Path, training: pl.DataFrame) -> dict[str, list[str]]:
    """Second pass: texts of high-rated training interactions; other lines are not even parsed."""
    wanted = set(training.filter(pl.col("rating") >= MIN_RATING)["line"].to_list())
    evidence = Evidence()
    for number, line in read_lines(file, SkipLog("skip")):
        if number in wanted:
            row = parse_json(line)
            evidence.add(str(row["asin"]), row.get("overall"), row.get("reviewText"))
    return evidence.by_item
