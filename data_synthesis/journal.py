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

SYNC_EVERY = 500  # most rows between two fsyncs
SYNC_SECONDS = 0.2  # most time between a paid row and its fsync
logger = logging.getLogger(__name__)


class Journal:
    """An append-only file of JSON rows that belongs to one job and one process at a time.

    A row is in the hands of the operating system as soon as `append` returns, so that a killed process loses none.
    fsync guards against a power cut: paid rows share one at most 0.2 seconds after they came, in a thread. What is
    left at a kill are whole rows and at most one torn one, which is cut off when the journal opens.

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
        self._timer: asyncio.Task[None] | None = None
        self._broken: BaseException | None = None
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

    def append(self, row: dict[str, Any], *, soon: bool = False) -> None:
        """Adds a finished row; it is out of this process's hands when the call returns.

        Args:
            row: The row.
            soon: It was paid for: fsync within 0.2 seconds (needs a running event loop).

        Raises:
            OSError: The disk is full or broken; the journal still ends in a whole row.
        """
        if self._broken is not None:
            raise self._broken
        self._write(row)
        self.rows.append(row)
        if soon:
            self._timer = self._timer or asyncio.get_running_loop().create_task(self._sync_soon())
        elif len(self.rows) - self._synced >= SYNC_EVERY:
            self._sync()

    async def _sync_soon(self) -> None:
        """One fsync in a thread for all rows of the next moment; a failure is raised by the next `append`."""
        try:
            await asyncio.sleep(SYNC_SECONDS)
            covered = len(self.rows)
            await asyncio.to_thread(os.fsync, self._file.fileno())
            self._synced = max(self._synced, covered)
        except OSError as error:
            self._broken = error
        finally:
            self._timer = None

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
