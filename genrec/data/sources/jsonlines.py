"""How are JSON lines read, plain or gzipped, so that a bad line is named by its number?"""

from __future__ import annotations

import ast
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from genrec.data.errors import DataError, SkipLog, describe

_GZIP_MAGIC = b"\x1f\x8b"
_TRUNCATED = "the compressed file is truncated or damaged"
_FETCH_AGAIN = "download or copy the file again"


def open_bytes(path: str | Path) -> IO[bytes]:
    """Open a file for reading bytes, unpacking gzip whatever the name says.

    Args:
        path: A plain or gzipped file.

    Returns:
        A binary stream of the unpacked content.

    Raises:
        DataError: If the file does not exist.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(describe("there is no such file", file=path, remedy="check the path"))
    with path.open("rb") as probe:
        packed = probe.read(2) == _GZIP_MAGIC
    if path.suffix == ".gz" and not packed and path.stat().st_size:
        raise DataError(describe("the name ends in .gz but the content is not gzip", file=path, remedy=_FETCH_AGAIN))
    return cast(IO[bytes], gzip.open(path, "rb")) if packed else path.open("rb")


def read_lines(path: str | Path, log: SkipLog | None = None) -> Iterator[tuple[int, bytes]]:
    """Stream the lines of a file; a truncated gzip ends in an error, or in a counted skip.

    Args:
        path: A plain or gzipped file.
        log: Policy for a truncated end; raises when None.

    Yields:
        1-based line number and the line without its end.
    """
    log = log or SkipLog()
    number = 0
    with open_bytes(path) as stream:
        lines = iter(stream)
        while True:
            try:
                line = next(lines, None)
            except (EOFError, OSError, zlib.error) as error:
                what = f"{_TRUNCATED} ({error})"
                log.bad("truncated_gzip", what, file=path, line=number + 1, remedy=_FETCH_AGAIN)
                return
            if line is None:
                return
            number += 1
            yield number, line.rstrip(b"\r\n")


def parse_json(line: bytes) -> Any:
    """Parse one line of JSON."""
    return json.loads(line)


def parse_json_or_python(line: bytes) -> Any:
    """Parse one line of JSON, or of a Python dictionary (the 2014 metadata dump is written so)."""
    try:
        return json.loads(line)
    except ValueError:
        return ast.literal_eval(line.decode("utf-8"))


def read_objects(
    path: str | Path, log: SkipLog | None = None, parse: Callable[[bytes], Any] = parse_json
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Stream the objects of a JSON-lines file with their line numbers; empty lines are passed over.

    Args:
        path: A plain or gzipped file.
        log: Policy for bad lines; raises when None.
        parse: Turns one line into an object.

    Yields:
        1-based line number and the object.
    """
    log = log or SkipLog()
    for number, line in read_lines(path, log):
        if not line.strip():
            continue
        try:
            row = parse(line)
        except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
            what = f"the line cannot be parsed ({type(error).__name__}: {error})"
            log.bad(
                "bad_line",
                what,
                file=path,
                line=number,
                value=_shown(line),
                remedy="repair or remove the line",
            )
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            log.bad(
                "bad_line",
                "the line is not an object",
                file=path,
                line=number,
                value=row,
                remedy="one {...} a line",
            )


def read_records(path: str | Path) -> Iterator[dict[str, Any]]:
    """Stream the objects of a JSON-lines file; any bad line raises."""
    return (row for _, row in read_objects(path))


def _shown(line: bytes) -> str:
    """The start of a line, readable."""
    return line[:120].decode("utf-8", "replace")
