"""How is a knowledge scene read? arXiv's metadata dump (JSON lines) as items, and a user's table of who read what.

The folder holds arxiv-metadata*.json (the public dump: id, title, abstract, categories, authors, update_date) and
interactions.csv (user_id, item_id = the paper's id, timestamp).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from genrec.data.errors import DataError, describe
from genrec.data.raw import RawData, Request
from genrec.data.sources import tabular
from genrec.data.sources.jsonlines import read_objects

INTERACTIONS, METADATA = "interactions.csv", "arxiv-metadata*.json*"
MAX_AUTHORS = 8


def matches(path: Path) -> bool:
    """Whether a path is such a folder."""
    return (path / INTERACTIONS).is_file() and any(path.glob(METADATA))


def read(path: Path, request: Request) -> RawData:
    """Read the folder.

    Args:
        path: Folder with the metadata dump and interactions.csv.
        request: Policy for bad rows, column mapping of the interactions.

    Returns:
        The raw data.

    Raises:
        DataError: If a row is bad, or several dumps lie in the folder.
    """
    dumps = sorted(path.glob(METADATA))
    if len(dumps) > 1:
        remedy = f"keep one of {', '.join(dump.name for dump in dumps)}"
        raise DataError(describe("the folder holds several metadata dumps", file=path, remedy=remedy))
    events = tabular.read(path / INTERACTIONS, request)
    return RawData(
        name=path.name,
        interactions=events.interactions,
        items=lambda kept: papers(dumps[0], kept, request),
        file=path / INTERACTIONS,
        info={"source": "arxiv", "path": path.name},
    )


def papers(path: Path, kept: set[str], request: Request) -> Iterator[dict[str, Any]]:
    """Stream the records of the kept papers: title, abstract as description, categories, authors as brand, year."""
    for line, row in read_objects(path, request.log):
        if row.get("id") is None:
            request.log.bad("null_id", "a paper has no id", file=path, line=line, value=row, remedy="give it one")
        elif str(row["id"]) in kept:
            yield {
                "item_id": str(row["id"]),
                "title": _line(row.get("title")),
                "description": _line(row.get("abstract")),
                "categories": str(row.get("categories") or "").split(),
                "brand": _authors(row.get("authors")),
                "year": _year(row),
            }


def _line(text: Any) -> str | None:
    """Titles and abstracts break lines at 80 characters."""
    return " ".join(str(text).split()) if text else None


def _authors(text: Any) -> str | None:
    """The first author's name: what a reader would know a paper by."""
    names = [name.strip() for name in re.split(r",| and ", str(text or ""))][:MAX_AUTHORS]
    return next((name for name in names if name), None)


def _year(row: dict[str, Any]) -> int | None:
    """Year of the newest version."""
    found = re.match(r"(19|20)\d\d", str(row.get("update_date") or ""))
    return int(found[0]) if found else None
