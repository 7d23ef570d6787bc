"""Who is like whom? The k most similar rows by cosine: never the row itself, only rows that training has seen.

Legend: n rows, D width, k neighbours. Vectors have length 1, or 0 for an empty text.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrec.backbones.retrieve import ExactRetriever, FaissRetriever, Retriever

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
BLOCK = 512
LARGE = 200_000  # candidates above which FAISS searches cells instead of everything


def unit(vectors: Floats) -> Floats:
    """Rows (n, D) scaled to length 1; zero rows stay."""
    table = np.ascontiguousarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    return np.divide(table, norms, out=np.zeros_like(table), where=norms > 0)


def nearest(vectors: Floats, rows: Ints, candidates: NDArray[np.bool_], k: int) -> tuple[Ints, Floats]:
    """Most similar candidates of some rows.

    Args:
        vectors: (n, D), see the legend.
        rows: (m,) rows that ask.
        candidates: (n,) True for rows that may be named: those with training interactions.
        k: neighbours wanted.

    Returns:
        (m, k) neighbours, most similar first, -1 where there are fewer, and their cosines, 0 there. A row without
        a text has none.
    """
    found, cosines = np.full((len(rows), k), -1, dtype=np.int64), np.zeros((len(rows), k), dtype=np.float32)
    has_text = np.abs(vectors).sum(axis=1) > 0
    allowed = np.flatnonzero(candidates & has_text)
    asking = np.flatnonzero(has_text[rows])
    if not len(allowed) or not len(asking):
        return found, cosines
    place = np.full(len(vectors), -1, dtype=np.int64)
    place[allowed] = np.arange(len(allowed))
    search = _retriever(vectors[allowed])
    for start in range(0, len(asking), BLOCK):
        part = asking[start : start + BLOCK]
        own = [[place[row]] if place[row] >= 0 else [] for row in rows[part]]
        best, scores = search.search(vectors[rows[part]], k, exclude=own)
        found[part] = np.where(best >= 0, allowed[best.clip(0)], -1)
        cosines[part] = np.where(best >= 0, scores, 0.0)
    return found, cosines


def _retriever(vectors: Floats) -> Retriever:
    """Exact search, and cells of FAISS where there are very many rows."""
    return FaissRetriever(vectors, probes=32) if len(vectors) > LARGE else ExactRetriever(vectors)
