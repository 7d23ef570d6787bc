"""What was shown to whom, and why? Audited answers, kept for a set time and found by request id."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SWEEP_SECONDS = 60.0


class AuditStore:
    """One SQLite file; every write is on disk when `keep` returns.

    Args:
        path: The file; its folder is made.
        retention_seconds: Older records are deleted.
        clock: Seconds since the epoch; tests give their own.
    """

    def __init__(self, path: Path, retention_seconds: float, clock: Callable[[], float] = time.time) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._retention, self._clock, self._swept = retention_seconds, clock, float("-inf")
        self._lock = threading.Lock()
        self._base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute("PRAGMA synchronous=FULL")
        self._base.execute(
            "CREATE TABLE IF NOT EXISTS audits (id TEXT PRIMARY KEY, at REAL NOT NULL, record TEXT NOT NULL)"
        )
        self._base.execute("CREATE INDEX IF NOT EXISTS audits_at ON audits (at)")

    def keep(self, request_id: str, record: dict[str, Any]) -> None:
        """Store a record durably."""
        now = self._clock()
        text = json.dumps(record, ensure_ascii=False)
        with self._lock:
            self._base.execute("INSERT OR REPLACE INTO audits VALUES (?, ?, ?)", (request_id, now, text))
            self._sweep(now)

    def find(self, request_id: str) -> dict[str, Any] | None:
        """The record of a request, None when there is none or its time is over."""
        oldest = self._clock() - self._retention
        with self._lock:
            row = self._base.execute(
                "SELECT record FROM audits WHERE id = ? AND at >= ?", (request_id, oldest)
            ).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def count(self) -> int:
        """Records in the file."""
        with self._lock:
            return int(self._base.execute("SELECT COUNT(*) FROM audits").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._base.close()

    def _sweep(self, now: float) -> None:
        """Delete what is too old, at most once a minute."""
        if now - self._swept >= SWEEP_SECONDS:
            self._swept = now
            self._base.execute("DELETE FROM audits WHERE at < ?", (now - self._retention,))
