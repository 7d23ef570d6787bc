"""How does a name or a path become a Dataset? One call in front of every source."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from genrec.data.dataset import META, Dataset
from genrec.data.errors import DataError, OnError, SkipLog, describe
from genrec.data.prepare import Preparation, prepare
from genrec.data.raw import RawData, Request
from genrec.data.sources import amazon, arxiv, folder, movielens, tabular, toy
from genrec.fetch import cache_folder


class Source(Protocol):
    """What a module of `genrec.data.sources` that reads paths offers."""

    def matches(self, path: Path) -> bool:
        """Whether the source can read the path."""

    def read(self, path: Path, request: Request) -> RawData:
        """Read it."""


_BY_PATH: tuple[Source, ...] = (folder, arxiv, movielens, amazon, tabular)  # the first that matches reads


def load_dataset(
    name_or_path: str | Path,
    *,
    k_core: int | tuple[int, int] | None = None,
    repeats: str | None = None,
    min_rating: float | None = None,
    min_events: int = 3,
    on_error: OnError = "raise",
    skip_file: str | Path | None = None,
    columns: Mapping[str, str] | None = None,
    items: str | Path | None = None,
    time_format: str | None = None,
    evidence_split: str | Mapping[str, Any] = "leave_one_out",
    name: str | None = None,
    **options: Any,
) -> Dataset:
    """Load, filter and order a dataset.

    A name is looked up as `$GENREC_DATA/<name>`, `../shared/data/<name>` and `<cache>/data/<name>`;
    `movielens_100k` and `movielens_1m` are downloaded when they are not there. `toy` is generated.

    Args:
        name_or_path: A name, or a path: a folder of interactions.parquet + items.jsonl.gz, a saved Dataset,
            an unpacked MovieLens, a raw Amazon review dump, or a CSV, Parquet or JSONL file.
        k_core: Fewest interactions per user and item, iterated; a pair sets them apart. None: the source's
            own default (5 for raw Amazon dumps, no core elsewhere).
        repeats: "keep", "first" or "last" of a repeated (user, item) pair. None: the source's own default
            ("first" for raw Amazon dumps, else "keep").
        min_rating: Drop interactions rated lower.
        min_events: Users with fewer interactions are bad input.
        on_error: "raise" stops at the first bad row; "skip" leaves bad rows out and lists them in a file.
        skip_file: That file (JSON lines). None: `<cache>/skipped/<name>.jsonl`.
        columns: Our column (user_id, item_id, timestamp, rating, title, ...) to the name in the user's file.
        items: Item table or metadata dump beside the interactions.
        time_format: strptime format of text times.
        evidence_split: Split whose training part may give reviews to item texts: a kind, or kind and options.
        name: Name of the dataset in reports.
        options: Options of one source, such as num_users, num_items and seed of `toy`.

    Returns:
        The dataset.

    Raises:
        DataError: For bad input; names file, line, value and remedy.
    """
    log = SkipLog(on_error)
    request = Request(log, columns, None if items is None else Path(items), time_format, options)
    found = _find(name_or_path)
    if isinstance(found, Path) and (found / META).is_file():
        return Dataset.load(found)
    raw = _read(found, request)
    raw = raw if name is None else replace(raw, name=name)
    split = {"kind": evidence_split} if isinstance(evidence_split, str) else dict(evidence_split)
    plan = Preparation(k_core or raw.k_core, repeats or raw.repeats, min_rating, min_events, split)
    dataset = prepare(raw, plan, log)
    if log.rows:
        target = Path(skip_file) if skip_file else cache_folder() / "skipped" / f"{raw.name}.jsonl"
        log.write(target)
        dataset.info |= {"skipped": log.by_kind(), "skip_file": str(target)}
    return dataset


def content_hash(*paths: str | Path | None) -> str:
    """Hash of the user's own files, so that a result is known to be out of date when they change.

    Args:
        paths: Files or folders. Names of datasets and None are left out: what they stand for does not change.

    Returns:
        16 hex digits; empty when nothing is a path.
    """
    roots = [Path(path) for path in paths if path is not None and Path(path).exists()]
    total = hashlib.sha256()
    for root in roots:
        for file in [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file()):
            with file.open("rb") as stream:
                content = hashlib.file_digest(stream, "sha256").digest()
            total.update(str(file.relative_to(root)).encode() + b"\0" + content)
    return total.hexdigest()[:16] if roots else ""


def file_beside(name_or_path: str | Path, file: str) -> Path | None:
    """A further file in a dataset's folder, such as users.jsonl.gz; None where there is none.

    Args:
        name_or_path: As `load_dataset` takes it.
        file: Its name.
    """
    found = _find(name_or_path)
    path = Path(found) / file if isinstance(found, Path) else None
    return path if path is not None and path.is_file() else None


def _find(name_or_path: str | Path) -> str | Path:
    """Turn a name into a path, or keep it as the name of something generated or downloaded."""
    if str(name_or_path) == "toy" or Path(name_or_path).exists():
        return "toy" if str(name_or_path) == "toy" else Path(name_or_path)
    name = str(name_or_path)
    roots = [os.environ.get("GENREC_DATA"), "../shared/data", cache_folder() / "data"]
    places = [Path(root) / name for root in roots if root]
    found = next((place for place in places if place.exists()), None)
    if found is not None:
        return found
    if name in movielens.DOWNLOADS:
        return name
    known = ", ".join(["toy", *movielens.DOWNLOADS])
    what = f"there is no dataset or path '{name}'; looked in {', '.join(map(str, places))}"
    raise DataError(describe(what, remedy=f"set GENREC_DATA to its parent folder, pass a path, or use one of {known}"))


def _read(found: str | Path, request: Request) -> RawData:
    """Let the right source read."""
    if found == "toy":
        return toy.read(request)
    if request.options:
        raise ValueError(f"unknown options {sorted(request.options)}; only 'toy' takes options of its own")
    if isinstance(found, str):
        return movielens.download(found, request)
    for source in _BY_PATH:
        if source.matches(found):
            return source.read(found, request)
    what = "no source reads this: not a dataset folder, MovieLens, Amazon dump, CSV, Parquet or JSONL"
    raise DataError(describe(what, file=found, remedy="see the formats in genrec.data.load"))
