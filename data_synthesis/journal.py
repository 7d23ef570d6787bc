"""What survives a kill? Every finished answer, appended to a journal beside the output file."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

SYNC_EVERY = 500  # rows between two fsyncs: at most so many are lost when the machine, not the process, dies


class Journal:
    """An append-only file of JSON rows that belongs to one job.

    A killed process leaves whole rows and at most one torn one, which is cut off when the journal opens.

    Args:
        path: The journal file; created with its folder when missing.
        fingerprint: What identifies the job; a journal of another job is refused.
        overwrite: Throw away a journal of another job instead of refusing it.

    Raises:
        ValueError: The file belongs to another job.
    """

    def __init__(self, path: Path, fingerprint: str, *, overwrite: bool = False) -> None:
        self.path = path
        self._header = {"fingerprint": fingerprint}
        path.parent.mkdir(parents=True, exist_ok=True)
        rows, end = _whole_rows(path) if path.exists() else ([], 0)
        if rows and rows[0] != self._header and not overwrite:
            raise ValueError(
                f"{path} holds {len(rows) - 1} rows of a job with other settings or other data; "
                "run that job again to finish it, or pass --overwrite to start anew"
            )
        fresh = not rows or rows[0] != self._header
        self.rows: list[dict[str, Any]] = [] if fresh else rows[1:]
        self._file = self._open(0 if fresh else end)
        if fresh:
            self._write(self._header)
            self._sync()

    def append(self, row: dict[str, Any]) -> None:
        """Adds a finished row; it is out of this process's hands when the call returns."""
        self._write(row)
        self.rows.append(row)
        if len(self.rows) % SYNC_EVERY == 0:
            self._sync()

    def remove(self) -> None:
        """Deletes the file: the job's output is complete."""
        self.close()
        self.path.unlink()

    def close(self) -> None:
        """Flushes and closes the file; rows stay for the next run."""
        if not self._file.closed:
            self._sync()
            self._file.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, end: int) -> BinaryIO:
        """Opens for appending after byte `end`; what follows is cut off."""
        self.path.touch()
        file = self.path.open("r+b")
        file.truncate(end)
        file.seek(end)
        return file

    def _write(self, row: dict[str, Any]) -> None:
        self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self._file.flush()

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())


def _whole_rows(path: Path) -> tuple[list[dict[str, Any]], int]:
    """All rows up to the first torn one, and the byte where they end."""
    rows: list[dict[str, Any]] = []
    end = 0
    for line, size in _lines(path.read_bytes()):
        try:
            row = json.loads(line)
        except ValueError:
            break
        if not isinstance(row, dict):
            break
        rows.append(row)
        end += size
    return rows, end


def _lines(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Finished lines with their size in bytes, line end included."""
    for line in data.splitlines(keepends=True):
        if line.endswith(b"\n"):
            yield line, len(line)
