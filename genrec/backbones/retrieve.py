"""Which items lie nearest to a user vector? Exact scoring, and FAISS for catalogues too large to score whole.

Legend: n users, V items, d width, K list length. Scores are inner products, as the models are trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Retriever(Protocol):
    """Finds items for user vectors."""

    def search(self, users: ArrayLike, k: int, exclude: Sequence[ArrayLike] | None = None) -> tuple[Ints, Floats]:
        """Best items of each user.

        Args:
            users: (n, d) vectors.
            k: K, list length.
            exclude: per user, items that must not be listed (for instance the history).

        Returns:
            (n, K) items, best first, -1 where none is left, and their scores, -inf there.
        """
        ...


def check_vectors(vectors: ArrayLike, width: int | None = None) -> Floats:
    """Vectors as a contiguous float32 matrix.

    Args:
        vectors: (n, d).
        width: d that is required.

    Raises:
        ValueError: not a matrix, another width, or a value that is not finite.
    """
    table = np.ascontiguousarray(vectors, dtype=np.float32)
    if table.ndim != 2 or (width is not None and table.shape[1] != width):
        raise ValueError(f"vectors must be (n, {width or 'd'}), got shape {table.shape}; were they made by this model?")
    if not np.isfinite(table).all():
        raise ValueError(f"row {int(np.argmin(np.isfinite(table).all(axis=1)))} of the vectors is not finite")
    return table


class ExactRetriever:
    """Scores the whole catalogue and takes the best by partial sort.

    Args:
        items: (V, d) item vectors.
    """

    def __init__(self, items: ArrayLike) -> None:
        """Keep the vectors."""
        self.items = check_vectors(items)

    def search(self, users: ArrayLike, k: int, exclude: Sequence[ArrayLike] | None = None) -> tuple[Ints, Floats]:
        """Best items; see `Retriever`. Equal scores are listed by item number."""
        scores = check_vectors(users, self.items.shape[1]) @ self.items.T
        for row, gone in enumerate(exclude or ()):
            scores[row, np.asarray(gone, dtype=np.int64)] = -np.inf
        width = min(k, scores.shape[1])
        found = np.sort(np.argpartition(-scores, width - 1, axis=1)[:, :width], axis=1)
        order = np.argsort(-np.take_along_axis(scores, found, 1), axis=1, kind="stable")
        return _padded(np.take_along_axis(found, order, 1), scores, k)


class FaissRetriever:
    """Approximate search: an inverted file over `cells` clusters, of which `probes` are looked into.

    Args:
        items: (V, d) item vectors.
        cells: clusters; 0 takes about sqrt(V), at least 39 items to a cell.
        probes: clusters per query; as many as cells makes the search exact.
        seed: of the clustering.
    """

    def __init__(self, items: ArrayLike, cells: int = 0, probes: int = 8, seed: int = 0) -> None:
        """Cluster and add the items."""
        import faiss

        table = check_vectors(items)
        cells = cells or max(1, min(int(len(table) ** 0.5), len(table) // 39))
        if cells > len(table) or probes < 1:
            raise ValueError(f"cells must be at most {len(table)} items and probes at least 1, got {cells}, {probes}")
        self._coarse = faiss.IndexFlatIP(table.shape[1])
        self.index: Any = faiss.IndexIVFFlat(self._coarse, table.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
        self.index.cp.seed, self.index.nprobe = seed + 1, min(probes, cells)
        self.index.train(table)
        self.index.add(table)

    def search(self, users: ArrayLike, k: int, exclude: Sequence[ArrayLike] | None = None) -> tuple[Ints, Floats]:
        """Best items; see `Retriever`. Asks for as many more as the longest exclusion, then drops these."""
        queries = check_vectors(users, self.index.d)
        gone = [np.unique(np.asarray(items, dtype=np.int64)) for items in exclude or [[]] * len(queries)]
        wanted = min(self.index.ntotal, k + max((len(items) for items in gone), default=0))
        scores, found = self.index.search(queries, wanted)
        items = np.full((len(queries), k), -1, dtype=np.int64)
        values = np.full((len(queries), k), -np.inf, dtype=np.float32)
        for row, excluded in enumerate(gone):
            keep = np.flatnonzero((found[row] >= 0) & ~np.isin(found[row], excluded))[:k]
            items[row, : len(keep)], values[row, : len(keep)] = found[row, keep], scores[row, keep]
        return items, values


def _padded(items: Ints, scores: Floats, k: int) -> tuple[Ints, Floats]:
    """Lists of exactly K places: -1 where the score is -inf or the catalogue is smaller."""
    values = np.take_along_axis(scores, items, 1)
    short = ((0, 0), (0, k - items.shape[1]))
    kept = np.where(np.isfinite(values), items, -1).astype(np.int64)
    return np.pad(kept, short, constant_values=-1), np.pad(values, short, constant_values=-np.inf)
