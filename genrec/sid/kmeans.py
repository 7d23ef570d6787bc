"""Which codeword is nearest, and which codewords should there be? One level of a quantiser.

Shapes: points (n, d), centroids (N, d), labels (n,) integers in 0 ... N-1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genrec.sid.balanced import assign_balanced, assign_nearly_balanced

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]


def squared_distances(points: Floats, centroids: Floats) -> Floats:
    """Squared Euclidean distances.

    Args:
        points: (n, d).
        centroids: (N, d).

    Returns:
        (n, N), never negative.
    """
    cross = points @ centroids.T
    norms = (points**2).sum(axis=1)[:, None] + (centroids**2).sum(axis=1)[None, :]
    distances: Floats = np.maximum(norms - np.float32(2) * cross, np.float32(0))
    return distances


def nearest(points: Floats, centroids: Floats, block: int = 16384) -> Labels:
    """Index of the nearest centroid of each point (the lower index on a tie), in blocks of bounded memory."""
    half_norms = 0.5 * (centroids**2).sum(axis=1)
    labels = np.empty(len(points), dtype=np.int64)
    for start in range(0, len(points), block):
        scores = points[start : start + block] @ centroids.T - half_norms
        labels[start : start + block] = scores.argmax(axis=1)
    return labels


def cluster_means(points: Floats, labels: Labels, centroids: Floats) -> Floats:
    """Mean of each cluster's points; an empty cluster keeps its centroid.

    Args:
        points: (n, d).
        labels: (n,) cluster of each point.
        centroids: (N, d), used for empty clusters.

    Returns:
        (N, d).
    """
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels, minlength=len(centroids))
    filled = counts > 0
    starts = np.concatenate([[0], np.cumsum(counts[filled])[:-1]]).astype(np.int64)
    means = centroids.copy()
    means[filled] = np.add.reduceat(points[order], starts, axis=0) / counts[filled, None]
    return means


def fit_kmeans(points: Floats, num_clusters: int, niter: int, seed: int) -> Floats:
    """Lloyd's algorithm by faiss, on a sample of at most 256 points per cluster.

    Returns:
        Centroids (num_clusters, d).
    """
    import faiss

    kmeans = faiss.Kmeans(
        points.shape[1], num_clusters, niter=niter, seed=seed, min_points_per_centroid=1, verbose=False
    )
    kmeans.train(np.ascontiguousarray(points, dtype=np.float32))
    return np.asarray(kmeans.centroids, dtype=np.float32).copy()


def fit_balanced(points: Floats, centroids: Floats, rounds: int) -> tuple[Floats, Labels]:
    """Turn k-means centroids into clusters of equal size (n/N, rounded down or up).

    Args:
        points: (n, d).
        centroids: (N, d) start, usually from `fit_kmeans`.
        rounds: alternations of nearly balanced assignment and means, before the exact one.

    Returns:
        Centroids (N, d) and labels (n,).
    """
    for _ in range(rounds):
        labels = assign_nearly_balanced(squared_distances(points, centroids))
        centroids = cluster_means(points, labels, centroids)
    labels = assign_balanced(squared_distances(points, centroids))
    return cluster_means(points, labels, centroids), labels
