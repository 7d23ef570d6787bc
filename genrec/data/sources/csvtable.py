"""How is a CSV read fast when it is sound, and line by line when it is not?"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl

from genrec.data.errors import DataError, SkipLog
from genrec.data.sources.checks import scan
from genrec.data.sources.jsonlines import read_lines

SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".inter": "\t", ".item": "\t"}
_REMEDY = "quote fields that hold the separator, and write UTF-8"


def read_csv(path: Path, separator: str, select: Callable[[pl.LazyFrame], pl.LazyFrame], log: SkipLog) -> pl.DataFrame:
    """Read some columns of a CSV, all as text, with a column `line` (1-based; the header is line 1).

    Args:
        path: Plain or gzipped file with a header.
        separator: Field separator.
        select: Picks and renames columns.
        log: Policy for bad lines.

    Returns:
        The selected columns.

    Raises:
        DataError: If there is no header, or, under on_error="raise", for the first line that cannot be read.
    """
    with tempfile.TemporaryDirectory() as scratch:
        plain = _unpacked(path, Path(scratch), log)
        try:
            lazy = scan(plain, lambda: _lazy(plain, separator))
        except DataError as error:
            raise DataError(str(error).replace(str(plain), str(path))) from error
        selected = select(lazy)
        try:
            return selected.collect(engine="streaming")
        except pl.exceptions.PolarsError:  # polars does not say which line it was
            rows = pl.DataFrame(list(_rows(plain, path, separator, log)), infer_schema_length=None)
            return select(rows.lazy()).collect()


def _unpacked(path: Path, scratch: Path, log: SkipLog) -> Path:
    """The file itself, or its unpacked copy in the scratch folder."""
    if path.suffix != ".gz":
        return path
    plain = scratch / path.stem
    with plain.open("wb") as out:
        out.writelines(line + b"\n" for _, line in read_lines(path, log))
    return plain


def _lazy(plain: Path, separator: str) -> pl.LazyFrame:
    """A lazy frame of text columns; RecBole's "user_id:token" becomes "user_id"."""
    lazy = pl.scan_csv(plain, separator=separator, infer_schema=False, row_index_name="line", row_index_offset=2)
    return lazy.rename(_column)


def _column(name: str) -> str:
    return name.partition(":")[0].strip()


def _rows(plain: Path, path: Path, separator: str, log: SkipLog) -> Iterator[dict[str, str | int | None]]:
    """Read line by line; lines with too many fields or undecodable bytes are bad."""
    with plain.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        reader = csv.reader(stream, delimiter=separator)
        names = [_column(name) for name in next(reader)]
        for fields in reader:
            line, readable = reader.line_num, all(map(_sound, fields))
            if len(fields) <= len(names) and readable:
                values = [field or None for field in fields] + [None] * (len(names) - len(fields))
                yield {"line": line, **dict(zip(names, values, strict=True))}
            else:
                what = "the line is not UTF-8"
                if len(fields) > len(names):
                    what = f"the line has {len(fields)} fields, the header {len(names)}"
                log.bad("bad_line", what, file=path, line=line, value=separator.join(fields), remedy=_REMEDY)


def _sound(field: str) -> bool:
    """Whether a field was valid UTF-8."""
    return not any("\udc80" <= character <= "\udcff" for character in field)
