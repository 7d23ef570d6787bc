"""Has this encoder seen this text before? Vectors on disk, keyed by encoder and content.

One SQLite file per encoder: transactions keep it whole when a run is killed or two processes write.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
CHUNK = 500


def text_key(text: str) -> str:
    """SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class EmbeddingCache:
    """Vectors of one encoder.

    Args:
        folder: where cache files live; created when missing.
        encoder: identity of the encoder, its weights included.
    """

    def __init__(self, folder: str | Path, encoder: str) -> None:
        label = re.sub(r"[^A-Za-z0-9]+", "-", encoder)[:40].strip("-")
        self.path = Path(folder) / f"{label}-{text_key(encoder)[:16]}.sqlite"
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def get(self, texts: Sequence[str]) -> dict[str, Floats]:
        """Known vectors (d,) by text."""
        by_key = {text_key(text): text for text in texts}
        keys = list(by_key)
        known: dict[str, Floats] = {}
        with self._open() as connection:
            for start in range(0, len(keys), CHUNK):
                part = keys[start : start + CHUNK]
                marks = ",".join("?" * len(part))
                rows = connection.execute(f"SELECT key, vector FROM vectors WHERE key IN ({marks})", part)
                known |= {by_key[key]: np.frombuffer(blob, dtype="<f4") for key, blob in rows}
        return known

    def put(self, texts: Sequence[str], vectors: Floats) -> None:
        """Remember vectors (n, d) of texts (n,)."""
        rows = [(text_key(t), v.astype("<f4").tobytes()) for t, v in zip(texts, vectors, strict=True)]
        with self._open() as connection:
            connection.executemany("INSERT OR IGNORE INTO vectors VALUES (?, ?)", rows)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """A connection inside one transaction; a damaged file becomes a clear error."""
        try:
            with closing(sqlite3.connect(self.path, timeout=60)) as connection, connection:
                connection.execute("CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, vector BLOB)")
                yield connection
        except sqlite3.DatabaseError as error:
            raise ValueError(f"embedding cache {self.path} is damaged ({error}); delete it and run again") from error
