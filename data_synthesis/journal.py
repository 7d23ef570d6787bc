"""What survives a kill? Every finished answer, appended to a journal beside the output file."""

import asyncio
import fcntl
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

SYNC_EVERY = 500  # rows between two fsyncs of `append`; paid rows also wait for `durable`
logger = logging.getLogger(__name__)


class Journal:
    """An append-only file of JSON rows that belongs to one job and one process at a time.

    A killed process leaves whole rows and at most one torn one, which is cut off when the journal opens.

    Args:
        path: The journal file; created with its folder when missing.
        fingerprint: What identifies the job; a journal of another job is refused.
        overwrite: Throw away a journal of another job instead of refusing it.

    Raises:
        ValueError: The file belongs to another job, or another process is writing it.
    """

    def __init__(self, path: Path, fingerprint: str, *, overwrite: bool = False) -> None:
        self.path = path
        self._header = {"fingerprint": fingerprint}
        self._syncing: asyncio.Future[None] | None = None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self._file: BinaryIO = path.open("r+b", buffering=0)
        try:
            self._lock()
            rows, end = _whole_rows(path)
            foreign = bool(rows) and rows[0] != self._header
            if foreign and not overwrite:
                raise ValueError(
                    f"{path} holds {len(rows) - 1} rows of a job with other settings or other data; "
                    "run that job again to finish it, or pass --overwrite to start anew"
                )
            self._end = 0 if foreign else end
            self._cut()
        except BaseException:
            self._file.close()
            raise
        self.rows: list[dict[str, Any]] = [] if foreign else rows[1:]
        self._synced = len(self.rows)
        if foreign or not rows:
            self._write(self._header)
            os.fsync(self._file.fileno())

    def append(self, row: dict[str, Any]) -> None:
        """Adds a finished row; it is out of this process's hands when the call returns.

        Raises:
            OSError: The disk is full or broken; the journal still ends in a whole row.
        """
        self._write(row)
        self.rows.append(row)
        if len(self.rows) - self._synced >= SYNC_EVERY:
            self._sync()

    async def durable(self) -> None:
        """Returns once every row appended so far is on the disk; rows that arrive meanwhile share the next fsync."""
        wanted = len(self.rows)
        while self._synced < wanted:
            if self._syncing is None:
                self._syncing = asyncio.ensure_future(self._sync_aside())
            await asyncio.shield(self._syncing)

    async def _sync_aside(self) -> None:
        """One fsync in a thread, for all rows written before it began."""
        try:
            covered = len(self.rows)
            await asyncio.to_thread(os.fsync, self._file.fileno())
            self._synced = max(self._synced, covered)
        finally:
            self._syncing = None

    def remove(self) -> None:
        """Deletes the file: the job's output is complete."""
        self.path.unlink()
        self._file.close()

    def close(self) -> None:
        """Syncs and closes the file; rows stay for the next run."""
        if not self._file.closed:
            self._sync()
            self._file.close()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lock(self) -> None:
        """Keeps a second process out; the system lets go even after kill -9."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"another process is writing {self.path}; wait for it or choose another --out") from None

    def _write(self, row: dict[str, Any]) -> None:
        """Writes one line; when the disk refuses a part of it, nothing of it stays."""
        left = memoryview(json.dumps(row).encode() + b"\n")
        size = len(left)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            self._cut()
            raise
        self._end += size

    def _cut(self) -> None:
        """Ends the file after its last whole row."""
        self._file.truncate(self._end)
        self._file.seek(self._end)

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        self._synced = len(self.rows)


def _whole_rows(path: Path) -> tuple[list[dict[str, Any]], int]:
    """All whole rows, and the byte where the last of them ends; a damaged row in the middle is left out."""
    rows: list[dict[str, Any]] = []
    end = position = damaged = 0
    for line in _lines(path.read_bytes()):
        position += len(line)
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict):
            rows.append(row)
            end = position
        else:
            damaged += 1
    if damaged:
        logger.warning("%s: %d damaged rows are left out; their questions will be asked again", path, damaged)
    return rows, end


def _lines(data: bytes) -> Iterator[bytes]:
    """Finished lines, line end included."""
    yield from (line for line in data.splitlines(keepends=True) if line.endswith(b"\n"))
