"""How is a file written so that nobody ever reads half of it, and how is it read again?"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_CHUNK_BYTES = 1 << 20


def write_whole(path: str | Path, data: str | bytes) -> None:
    """Write a file atomically: temporary name in the same folder, fsync, rename.

    Args:
        path: Destination; missing parent folders are created.
        data: Content; text is encoded as UTF-8.
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    _write_whole(Path(path), lambda handle: handle.write(content))


def write_array(path: str | Path, array: NDArray[Any]) -> None:
    """Write an array as .npy, atomically and without a copy of it in memory; `np.load(mmap_mode=...)` can map it."""
    _write_whole(Path(path), lambda handle: np.save(handle, array))


def write_arrays(path: str | Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write named arrays as a compressed `.npz`, whole or not at all."""
    _write_whole(Path(path), lambda file: np.savez_compressed(file, **arrays))  # type: ignore[arg-type]


def _write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let a function write to a temporary file that then takes the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name[:80]}.{uuid.uuid4().hex}.tmp"
    try:
        with temporary.open("xb") as handle:
            write(handle)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable where the platform can (Windows cannot open folders)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_json(path: str | Path, obj: Any) -> None:
    """Write an object as indented JSON, atomically.

    Args:
        path: Destination.
        obj: Anything `json` can write; NaN is refused because it is not JSON.
    """
    write_whole(path, json.dumps(obj, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file.

    Args:
        path: File to read.

    Returns:
        The parsed object.

    Raises:
        ValueError: If the file is not JSON; names file, line and column.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}, line {error.lineno}, column {error.colno}: not JSON ({error.msg})") from error


def read_jsonl(path: str | Path) -> list[Any]:
    """Read a log with one JSON object per line.

    Args:
        path: File to read; a missing one is an empty log.

    Returns:
        The objects; a last line that a kill cut off is left out.

    Raises:
        ValueError: If a line other than the last is not JSON.
    """
    path = Path(path)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise ValueError(f"{path}, line {number}: not JSON ({error.msg}); delete the line") from error
    return rows


def sha256_of(source: str | Path | bytes) -> str:
    """Hash a file's content, or bytes.

    Args:
        source: A path (`str` or `Path`), read in chunks, or the bytes themselves.

    Returns:
        The SHA-256 digest as 64 hexadecimal characters.
    """
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    digest = hashlib.sha256()
    with Path(source).open("rb") as handle:
        while chunk := handle.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
