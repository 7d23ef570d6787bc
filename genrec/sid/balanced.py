"""Who goes into which cluster when every cluster must have the same size?

A transportation problem in two steps. Prices per cluster (Sinkhorn's iteration) bring the sizes close to
equal when each point takes the cluster with the least cost + price: such an assignment is optimal for the
sizes it has. Then the surplus moves along shortest paths between clusters (successive shortest paths),
which keeps it optimal.
Source: sizes n/N +- 1 as GREAM's authors do; the method is ours, because assignment by the Hungarian
algorithm is cubic in n.

Shapes: cost (n, N), labels (n,), prices (N,), capacities (N,) that sum to n; moves[u, v] = least extra cost
of moving one point from cluster u to v, movers[u, v] = that point.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

TEMPERATURES = (0.3, 0.1, 0.03, 0.01)
"""Of Sinkhorn's iteration, as fractions of the standard deviation of the costs."""


def assign_balanced(cost: ArrayLike, iterations: int = 8) -> Labels:
    """Assign every point to a cluster at the least total cost, all clusters of equal size (+- 1).

    Args:
        cost: (n, N), for example squared distances.
        iterations: price updates per temperature; they save time later and do not change the optimum.

    Returns:
        Labels (n,), each cluster n // N or n // N + 1 times.
    """
    costs: Floats = np.asarray(cost, dtype=np.float64)
    labels, caps = _priced(costs, iterations)
    return move_surplus(costs, labels, caps)


def assign_nearly_balanced(cost: ArrayLike, iterations: int = 8) -> Labels:
    """Like `assign_balanced` without its second step: sizes close to equal, for a fraction of the time."""
    return _priced(np.asarray(cost, dtype=np.float64), iterations)[0]


def _priced(costs: Floats, iterations: int) -> tuple[Labels, Labels]:
    """Cheapest clusters at Sinkhorn's prices, (n,), and the capacities (N,)."""
    caps = capacities(len(costs), np.bincount(costs.argmin(axis=1), minlength=costs.shape[1]))
    return (costs + sinkhorn_prices(costs, caps, iterations)).argmin(axis=1), caps


def capacities(num_points: int, preferred: Labels) -> Labels:
    """Cluster sizes that sum to `num_points`: the most wanted clusters take one of the remainder each.

    Args:
        num_points: n.
        preferred: (N,) how many points would choose each cluster freely.

    Returns:
        (N,) sizes, each n // N or n // N + 1.
    """
    size, extra = divmod(num_points, len(preferred))
    caps = np.full(len(preferred), size, dtype=np.int64)
    caps[np.argsort(-preferred, kind="stable")[:extra]] += 1
    return caps


def sinkhorn_prices(cost: Floats, caps: Labels, iterations: int) -> Floats:
    """Prices (N,) under which soft choices fill every cluster to about its capacity.

    Each update raises the price of a cluster by temperature * log(expected size / capacity).
    """
    scale = float(cost.std())
    prices = np.zeros(len(caps))
    target = np.maximum(caps, 0.5)
    centred = (cost - cost.min(axis=1, keepdims=True)).astype(np.float32)
    for temperature in (fraction * scale for fraction in TEMPERATURES if scale > 0):
        for _ in range(iterations):
            logits = (centred + prices.astype(np.float32)) * np.float32(-1 / temperature)
            logits -= logits.max(axis=1, keepdims=True)
            shares = np.exp(logits, out=logits)
            shares /= shares.sum(axis=1, keepdims=True)
            sizes = shares.sum(axis=0, dtype=np.float64)
            prices += temperature * np.log(np.maximum(sizes, 1e-3) / target)
    return prices


def move_surplus(cost: Floats, labels: Labels, caps: Labels) -> Labels:
    """Move points from clusters above to clusters below capacity, always along the cheapest path of clusters.

    Args:
        cost: (n, N).
        labels: (n,) an assignment that is optimal for the sizes it has.
        caps: (N,) sizes wanted, same sum.

    Returns:
        (n,) an assignment that is optimal for `caps`.
    """
    labels = labels.astype(np.int64, copy=True)
    size = len(caps)
    moves, movers = np.full((size, size), np.inf), np.zeros((size, size), dtype=np.int64)
    _update_moves(range(size), cost, labels, moves, movers)
    surplus = np.bincount(labels, minlength=size) - caps
    while (surplus > 0).any():
        path = _cheapest_path(moves, surplus > 0, surplus < 0)
        for source, goal in pairwise(path):
            labels[movers[source, goal]] = goal
        _update_moves(path, cost, labels, moves, movers)
        surplus[path[0]] -= 1
        surplus[path[-1]] += 1
    return labels


def _update_moves(clusters: ArrayLike, cost: Floats, labels: Labels, moves: Floats, movers: Labels) -> None:
    """Recompute rows of `moves` and `movers` in place for clusters whose members changed."""
    for cluster in np.asarray(clusters, dtype=np.int64):
        members = np.flatnonzero(labels == cluster)
        moves[cluster] = np.inf
        if len(members):
            extra = cost[members] - cost[members, cluster][:, None]
            best = extra.argmin(axis=0)
            movers[cluster] = members[best]
            moves[cluster] = extra[best, np.arange(len(moves))]
        moves[cluster, cluster] = np.inf


def _cheapest_path(moves: Floats, sources: NDArray[np.bool_], goals: NDArray[np.bool_]) -> list[int]:
    """Bellman-Ford from all sources at once.

    Args:
        moves: (N, N) edge costs; negative ones occur, negative cycles do not.
        sources: (N,) True where a path may begin.
        goals: (N,) True where it may end.

    Returns:
        Clusters from a source to the goal that costs least.
    """
    distance = np.where(sources, 0.0, np.inf)
    before = np.full(len(moves), -1, dtype=np.int64)
    tolerance = 1e-12 * max(1.0, float(np.abs(moves[np.isfinite(moves)]).max(initial=0.0)))
    for _ in range(len(moves)):
        through = distance[:, None] + moves
        closest = through.argmin(axis=0)
        reached = through[closest, np.arange(len(moves))]
        better = reached < distance - tolerance
        if not better.any():
            break
        distance[better], before[better] = reached[better], closest[better]
    path = [int(np.where(goals, distance, np.inf).argmin())]
    while before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    return path[::-1]
