"""Which encoder needs no model at all? Hashed words and character trigrams, for tests and offline runs."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class HashEncoder:
    """A signed, hashed bag of words and character trigrams; unit length.

    Texts that share words or word parts are near each other; nothing is learnt. Equal on every machine.

    Args:
        dimension: d.
    """

    def __init__(self, dimension: int = 256) -> None:
        self.dimension = dimension
        self.name = f"hash-{dimension}-v1"

    def encode(self, texts: Sequence[str], batch_size: int = 64) -> NDArray[np.float32]:
        """Vectors (n, d) of length 1; the empty text is the zero vector."""
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for feature, weight in features(text):
                digest = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
                row[(digest >> 1) % self.dimension] += weight if digest & 1 else -weight
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, norms, out=vectors, where=norms > 0)
        return vectors


def features(text: str) -> list[tuple[str, float]]:
    """Words (weight 1) and trigrams of each padded word (weight 0.3)."""
    words = re.findall(r"\w+", text.lower())
    found = [(f"w:{word}", 1.0) for word in words]
    for word in words:
        padded = f"^{word}$"
        found.extend((f"c:{padded[i : i + 3]}", 0.3) for i in range(len(padded) - 2))
    return found
