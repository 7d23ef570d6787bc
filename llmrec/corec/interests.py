"""Which interests does a history hold? k-means clusters of item vectors that only training interactions made.

Legend: V items, C clusters, n histories. Label -1: an item that training never saw with another one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.sid.kmeans import fit_kmeans, nearest
from llmrec.categories import dominant

IntArray = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Interests:
    """Cluster of every item.

    Attributes:
        labels: (V,) cluster of each item, -1 where unknown.
        count: C.
    """

    labels: IntArray
    count: int

    def dominant(self, history: ArrayLike) -> int:
        """The most frequent cluster of a history, the later one of equally frequent ones; -1 without any."""
        return dominant(self.labels[np.asarray(history, dtype=np.int64)])

    def core(self, history: ArrayLike, share: float) -> NDArray[np.bool_]:
        """Core interests of a history.

        Args:
            history: dense items.
            share: a cluster is core when it holds at least this share of the items that have one.

        Returns:
            (C,) True for core clusters; the dominant one always is, and none is where no item has a cluster.
        """
        labels = self.labels[np.asarray(history, dtype=np.int64)]
        labels = labels[labels >= 0]
        found = np.zeros(self.count, dtype=bool)
        if len(labels):
            found = np.bincount(labels, minlength=self.count) >= share * len(labels)
            found[dominant(labels)] = True
        return found

    def members(self, clusters: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Items (V,) of clusters (C,); an item without a cluster is in none."""
        return clusters[self.labels.clip(0)] & (self.labels >= 0)


def cooccurrence_vectors(histories: Sequence[IntArray], num_items: int, width: int = 32) -> Floats:
    """Item vectors from who has what: positive pointwise mutual information, reduced by a singular value decomposition.

    Args:
        histories: training histories.
        num_items: V.
        width: of the vectors, at most V - 1.

    Returns:
        (V, width) of length 1; 0 for items that share no user with another.

    Source: ours, because vectors of a trained model would tie the clusters to one backbone; Levy and Goldberg 2014
    show that such vectors and word2vec's agree.
    """
    from scipy import sparse
    from scipy.sparse.linalg import svds

    users = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    items = np.concatenate([*histories, np.empty(0, np.int64)]).astype(np.int64)
    seen = sparse.csr_matrix((np.ones(len(items)), (users, items)), shape=(len(histories), num_items))
    seen.data[:] = 1.0
    together: Any = (seen.T @ seen).tocoo()
    others = together.row != together.col
    rows, columns, counts = (part[others] for part in (together.row, together.col, together.data))
    totals = np.bincount(rows, weights=counts, minlength=num_items)
    if not len(counts) or num_items < 3:
        return np.zeros((num_items, max(1, width)), dtype=np.float32)
    values = np.maximum(0.0, np.log(counts * counts.sum() / (totals[rows] * totals[columns])))
    table = sparse.csr_matrix((values, (rows, columns)), shape=(num_items, num_items))
    left, strength, _ = svds(table, k=min(width, num_items - 1), v0=np.ones(num_items))
    vectors = left * np.sqrt(strength)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    known = (totals > 0)[:, None] & (norms > 1e-8)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=known).astype(np.float32)


def learn_interests(histories: Sequence[IntArray], num_items: int, count: int, seed: int = 0) -> Interests:
    """Cluster the items by training interactions.

    Args:
        histories: training histories; nothing else is looked at.
        num_items: V.
        count: C, lowered to the number of items that have a vector.
        seed: of k-means.

    Raises:
        ValueError: fewer than 1 cluster, or no two items share a user.
    """
    if count < 1:
        raise ValueError(f"clusters must be at least 1, got {count}")
    vectors = cooccurrence_vectors(histories, num_items)
    known = np.abs(vectors).sum(axis=1) > 0
    if not known.any():
        raise ValueError("no two items share a training user, so there are no interests; use longer histories")
    count = min(count, int(known.sum()))
    labels = np.full(num_items, -1, dtype=np.int64)
    labels[known] = nearest(vectors[known], fit_kmeans(vectors[known], count, 20, seed))
    return Interests(labels, count)
