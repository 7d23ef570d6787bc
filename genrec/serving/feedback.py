"""What did people do with the lists? Durable records, experiment arms, click rate per arm.

A record is acknowledged only after it is on disk (fsync); records that wait at the same time share one fsync. A kill in
the middle of a write leaves a torn last line at most, which is no acknowledged record and is cut off at the next start.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from genrec.data.files import read_jsonl
from genrec.serving.batching import MicroBatcher

logger = logging.getLogger(__name__)
GROUP_COMMIT = 256


def arm_of(user_id: str, arms: Mapping[str, float], salt: str) -> str:
    """The experiment arm of a user: the same at every call and on every machine.

    Args:
        user_id: Any text.
        arms: Arm -> weight, in a fixed order.
        salt: Name of the experiment.

    Returns:
        An arm, drawn with probability weight / sum of weights over users.

    Source: ours; the first 8 bytes of SHA-256(salt, user) as a number in [0, 1).
    """
    point = int.from_bytes(_digest(user_id, salt)[:8], "big") / 2**64 * sum(arms.values())
    for arm, weight in arms.items():
        point -= weight
        if point < 0:
            return arm
    return [arm for arm, weight in arms.items() if weight > 0][-1]


def user_hash(user_id: str, salt: str) -> str:
    """What is stored of a user: 32 hexadecimal characters."""
    return _digest(user_id, salt).hex()[:32]


def _digest(user_id: str, salt: str) -> bytes:
    return hashlib.sha256(f"{salt}\0{user_id}".encode("utf-8", "surrogatepass")).digest()


class FeedbackLog:
    """An append-only file of JSON lines.

    Args:
        path: The file; its folder is made, a torn last line is cut off.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        _cut_torn_line(path)
        self.counts: Counter[tuple[str, str]] = Counter()
        self._keys: set[str] = set()
        for record in read_jsonl(path):
            self._note(record)
        self._file = path.open("ab", buffering=0)
        self._writer: MicroBatcher[dict[str, Any], bool] = MicroBatcher(self._write, GROUP_COMMIT, name="feedback")

    def start(self) -> None:
        """Start the writer."""
        self._writer.start()

    async def append(self, record: Mapping[str, Any]) -> tuple[str, bool]:
        """Store a record.

        Args:
            record: JSON values with `arm` and `action`; `key` names it, else a name is made.

        Returns:
            Its key, and whether it was there already. It is on disk when this returns.
        """
        key = str(record.get("key") or uuid.uuid4().hex)
        full = {**record, "key": key, "at": datetime.now(UTC).isoformat(timespec="milliseconds")}
        return key, await self._writer.submit(full)

    def rates(self) -> dict[str, tuple[int, int]]:
        """Arm -> (clicks, views)."""
        arms = sorted({arm for arm, _ in self.counts})
        return {arm: (self.counts[arm, "click"], self.counts[arm, "view"]) for arm in arms}

    def close(self) -> None:
        """Write what waits and close the file."""
        self._writer.close()
        self._file.close()

    def _note(self, record: Mapping[str, Any]) -> None:
        self._keys.add(str(record.get("key")))
        self.counts[str(record.get("arm")), str(record.get("action"))] += 1

    def _write(self, records: list[dict[str, Any]]) -> list[bool]:
        """Append records (those with a new key) with one fsync; True where the key was known."""
        fresh: dict[str, dict[str, Any]] = {}
        known = []
        for record in records:
            known.append(record["key"] in self._keys or record["key"] in fresh)
            if not known[-1]:
                fresh[record["key"]] = record
        self._store("".join(json.dumps(record) + "\n" for record in fresh.values()).encode("ascii"))
        for record in fresh.values():  # only now: what could not be stored may be sent again
            self._note(record)
        return known

    def _store(self, lines: bytes) -> None:
        """Append bytes durably; a write that fails (a full disk) leaves nothing behind."""
        end = self._file.seek(0, os.SEEK_END)
        try:
            if self._file.write(lines) < len(lines):
                raise OSError("the disk took only a part of the record")
            os.fsync(self._file.fileno())
        except OSError:
            os.truncate(self.path, end)
            raise


def _cut_torn_line(path: Path) -> None:
    """Remove what a kill left of a last line without an end."""
    if not path.is_file():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        logger.warning("%s: a torn last line of %d bytes is cut off", path, len(content) - whole)
        with path.open("rb+") as handle:
            handle.truncate(whole)
            os.fsync(handle.fileno())


async def append_quietly(log: FeedbackLog, record: Mapping[str, Any]) -> None:
    """Append without a caller who waits; a failure is logged."""
    try:
        await log.append(record)
    except (OSError, RuntimeError, asyncio.CancelledError) as error:
        logger.error("an impression was not stored: %s", type(error).__name__)
