"""How often do k samples contain the target? Pass@k: unbiased, in expectation, and as the GREAM authors compute it.

Legend: u users, n samples per user, c correct ones among them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.metrics.ranking import exact_mean


def pass_at_k(n: int, c: int, k: int) -> float:
    """Probability that k of n samples, drawn without replacement, contain a correct one: `1 - C(n-c, k) /
    C(n, k)`.

    Args:
        n: samples drawn.
        c: correct ones among them.
        k: samples looked at, 1..n.

    Returns:
        Unbiased estimate of Pass@k in [0, 1].

    Raises:
        ValueError: not 0 <= c <= n or not 1 <= k <= n.

    Source: METHODS 1.5; Chen et al. 2021 (arXiv 2107.03374), equation 1. Integer binomials, so nothing
    overflows.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(f"pass_at_k needs 0 <= c <= n and 1 <= k <= n, got n={n}, c={c}, k={k}")
    return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def pass_values(hits: ArrayLike, k: int) -> NDArray[np.float64]:
    """Unbiased Pass@k of each user from the hits (u, n) bool of its samples; shape (u,)."""
    table = _checked_hits(hits)
    n = table.shape[1]
    return np.array([pass_at_k(n, int(c), k) for c in table.sum(axis=1)], dtype=np.float64)


def expected_pass_values(probabilities: ArrayLike, k: int) -> NDArray[np.float64]:
    """Unbiased Pass@k of each user from the probability of a hit behind each sample, without drawing the hit.

    Mean over all k of the n samples of `1 - prod(1 - p)`: the same expectation as `pass_values` of drawn hits and less
    variance (Rao-Blackwell); with p of 0 and 1 only, the same figure. The mean over m of the first s samples is that
    without sample s, weight `1 - m / s`, and that with it, weight `m / s`, so nothing grows with the binomials.

    Args:
        probabilities: (u, n) in [0, 1], e.g. of the target behind each sampled chain.
        k: samples looked at, 1..n.

    Returns:
        (u,) values.

    Raises:
        ValueError: not a table of probabilities, or k outside 1..n.

    Example:
        p = (0.5, 0.25, 0), k = 2: the pairs give 0.625, 0.5 and 0.25, mean 0.4583.
    """
    misses = 1.0 - np.asarray(probabilities, dtype=np.float64)
    if misses.ndim != 2 or not ((misses >= 0) & (misses <= 1)).all() or not 1 <= k <= misses.shape[1]:
        raise ValueError(
            f"expected Pass@{k} needs (users, samples) probabilities and 1 <= k <= samples, got shape {misses.shape}"
        )
    sizes = np.arange(1, k + 1)
    means = np.eye(1, k + 1).repeat(len(misses), axis=0)  # (u, k + 1) mean product of m of the samples seen so far
    for seen, sample in enumerate(misses.T, start=1):
        share = sizes / seen  # above 1 where m > seen, and both means are 0 there
        means[:, 1:] = (1 - share) * means[:, 1:] + share * means[:, :-1] * sample[:, None]
    return np.asarray(1.0 - means[:, k])


def ranked_pass_values(hits: ArrayLike, log_probs: ArrayLike, k: int) -> NDArray[np.float64]:
    """Per user 1 when a hit is among the k most probable samples, else 0; shape (u,).

    Args:
        hits: (u, n) bool, True where the sample is the target.
        log_probs: (u, n) log-probability of each whole sampled sequence; among equals misses come first
            (pessimistic).
        k: samples looked at, 1..n.

    Returns:
        (u,) zeros and ones.

    Raises:
        ValueError: shapes that differ, NaN, or k outside 1..n.
    """
    table = _checked_hits(hits)
    scores = np.asarray(log_probs, dtype=np.float64)
    if scores.shape != table.shape or np.isnan(scores).any() or not 1 <= k <= table.shape[1]:
        raise ValueError(
            f"ranked Pass@{k} needs log_probs of the shape of hits {table.shape}, no NaN and 1 <= k <= n, "
            f"got shape {scores.shape}"
        )
    order = np.lexsort((table, -scores), axis=1)
    first = np.take_along_axis(table, order, axis=1)[:, :k]
    return np.asarray(first.any(axis=1), dtype=np.float64)


def ranked_pass_at_k(hits: ArrayLike, log_probs: ArrayLike, k: int) -> float:
    """Pass@k as the GREAM authors compute it: samples ranked by sequence log-probability, hit within the
    first k.

    Args:
        hits: (u, n) bool, True where the sample is the target.
        log_probs: (u, n) log-probability of each whole sampled sequence.
        k: samples looked at, 1..n.

    Returns:
        Share of users with a hit in [0, 1].

    Source: METHODS 1.5 (authors' evaluation).
    """
    return exact_mean(ranked_pass_values(hits, log_probs, k))


def pass_table(hits: ArrayLike, log_probs: ArrayLike | None = None, ks: Sequence[int] = (1, 5, 10)) -> dict[str, float]:
    """Pass@k in both ways.

    Args:
        hits: (u, n) bool, True where the sample is the target.
        log_probs: (u, n) sequence log-probabilities; without them only the unbiased columns appear.
        ks: cut-offs; those above n are left out.

    Returns:
        `{"Pass@1": ..., "Pass@1_ranked": ..., ...}`.
    """
    table: dict[str, float] = {}
    for k in (k for k in ks if k <= np.asarray(hits).shape[1]):
        table[f"Pass@{k}"] = exact_mean(pass_values(hits, k))
        if log_probs is not None:
            table[f"Pass@{k}_ranked"] = ranked_pass_at_k(hits, log_probs, k)
    return table


def _checked_hits(hits: ArrayLike) -> NDArray[np.bool_]:
    """Hits as a (u, n) bool table with at least one user and one sample."""
    table = np.asarray(hits).astype(bool)
    if table.ndim != 2 or table.size == 0:
        raise ValueError(f"hits must be (users, samples) and not empty, got shape {table.shape}")
    return table
