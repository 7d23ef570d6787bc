"""What does a written text look like on disk? One record per item or user, as JSON lines or Parquet.

Chains have a schema of their own (`genrec.data.chains`); every other text that a language model writes about an
item or a user is a `TextRecord`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import polars as pl

from genrec.data.errors import DataError, describe
from genrec.data.files import write_whole
from genrec.data.sources.jsonlines import read_objects

KINDS = ("items", "users", "preferences", "rewrite", "reasons")
_LISTS, _OBJECTS = ("history", "kept"), ("texts", "extra")


@dataclass
class TextRecord:
    """One text, or a few that belong together, about one item or user.

    Attributes:
        kind: What was asked for: items, users, preferences, rewrite or reasons.
        subject: Id of the item (kind "items") or of the user (all other kinds).
        texts: The texts by name, such as {"description": "..."}.
        history: Item ids that the writer was shown, oldest first; empty for items.
        target: Item id of the next training interaction, where the text explains it; else empty.
        kept: Item ids of the denoised history (kind "rewrite"), oldest first.
        teacher: Who wrote it.
        extra: Anything else.
    """

    kind: str
    subject: str
    texts: dict[str, str]
    history: list[str] = field(default_factory=list)
    target: str = ""
    kept: list[str] = field(default_factory=list)
    teacher: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: Mapping[str, Any], file: str | Path | None = None, number: int | None = None) -> TextRecord:
        """Checks a parsed row field by field.

        Raises:
            DataError: A field is missing, unknown or of the wrong type, or the kind is unknown.
        """
        names = {entry.name for entry in fields(cls)}
        odd = sorted({"kind", "subject", "texts"} - set(row)) + sorted(set(row) - names)
        if odd:
            what = f"text fields missing or unknown: {odd}"
            raise DataError(describe(what, file=file, line=number, remedy=f"the fields are {', '.join(sorted(names))}"))
        if row["kind"] not in KINDS:
            remedy = f"use one of {', '.join(KINDS)}"
            raise DataError(describe("unknown kind", file=file, line=number, value=row["kind"], remedy=remedy))
        for name, value in row.items():
            if not _fits(name, value):
                raise DataError(describe(f"field '{name}' has the wrong type", file=file, line=number, value=value))
        return cls(**row)


def _fits(name: str, value: Any) -> bool:
    """Whether a field's value has its type."""
    if name in _LISTS:
        return isinstance(value, list) and all(isinstance(part, str) for part in value)
    if name == "texts":
        return isinstance(value, dict) and all(isinstance(part, str) for part in value.values())
    return isinstance(value, dict if name == "extra" else str)


def write_rows(path: str | Path, rows: Iterable[Any]) -> None:
    """Writes dataclass records atomically: Parquet when the name ends in .parquet, else JSON lines.

    Args:
        path: Destination. In Parquet the fields `texts` and `extra` are JSON text: their keys vary.
        rows: Dataclass instances of one type.
    """
    plain = [asdict(row) for row in rows]
    if Path(path).suffix == ".parquet":
        flat = [{k: json.dumps(v, ensure_ascii=False) if k in _OBJECTS else v for k, v in r.items()} for r in plain]
        buffer = io.BytesIO()
        lists = {name: pl.List(pl.String) for name in (*_LISTS, "denoised") if plain and name in plain[0]}
        pl.DataFrame(flat, schema_overrides=lists, infer_schema_length=None).write_parquet(buffer, compression="zstd")
        write_whole(path, buffer.getvalue())
        return
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in plain))


def read_rows(path: str | Path) -> list[tuple[int, dict[str, Any]]]:
    """Reads what `write_rows` wrote.

    Returns:
        1-based number and fields of each row.

    Raises:
        DataError: No such file, or a line is no JSON object.
    """
    if Path(path).suffix != ".parquet":
        return list(read_objects(path))
    if not Path(path).is_file():
        raise DataError(describe("there is no such file", file=path, remedy="check the path"))
    rows = pl.read_parquet(path).to_dicts()
    parsed = ({k: json.loads(v) if k in _OBJECTS else v for k, v in row.items()} for row in rows)
    return list(enumerate(parsed, start=1))


def read_texts(path: str | Path) -> list[TextRecord]:
    """Reads a file of text records.

    Raises:
        DataError: Names file, row and field of the first bad one.
    """
    return [TextRecord.from_row(row, path, number) for number, row in read_rows(path)]
