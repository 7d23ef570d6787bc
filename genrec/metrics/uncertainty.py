"""How sure are we of a mean, or of a difference? Bootstrap confidence intervals over users.

Legend: n users, b bootstrap samples. Values are sorted before they are drawn, so the result does not depend
on the order of users; where few distinct values occur (hits, gains) samples are multinomials over them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.metrics.ranking import exact_mean

CHUNK_CELLS = 4_000_000
FEW_VALUES = 256


@dataclass(frozen=True)
class Interval:
    """A mean with its confidence interval.

    Attributes:
        mean: the mean of n values.
        low: lower end.
        high: upper end.
        n: number of values.
        level: confidence level, for instance 0.95.
    """

    mean: float
    low: float
    high: float
    n: int
    level: float

    def __str__(self) -> str:
        """Write like `0.0412 [0.0385, 0.0440]`."""
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def bootstrap_means(values: ArrayLike, samples: int, seed: int) -> NDArray[np.float64]:
    """Means (samples,) of bootstrap resamples of values (n,); raises ValueError for no value or NaN."""
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if len(ordered) == 0 or np.isnan(ordered).any():
        raise ValueError(f"a bootstrap needs at least one value and no NaN, got {len(ordered)} values")
    distinct, counts = np.unique(ordered, return_counts=True)
    few = len(distinct) <= FEW_VALUES
    random, total = np.random.default_rng(seed), len(ordered)
    rows = max(1, CHUNK_CELLS // (len(distinct) if few else total))
    parts = []
    for start in range(0, samples, rows):
        size = min(rows, samples - start)
        if few:
            parts.append(random.multinomial(total, counts / total, size=size) @ distinct / total)
        else:
            parts.append(ordered[random.integers(0, total, (size, total))].mean(axis=1))
    return np.concatenate(parts)


def mean_ci(values: ArrayLike, level: float = 0.95, samples: int = 2000, seed: int = 0) -> Interval:
    """Mean with a percentile bootstrap interval.

    Args:
        values: (n,) one value per user, for instance `ndcg_values(ranks, 10)`.
        level: confidence level in (0, 1).
        samples: bootstrap resamples.
        seed: seed of the resampling.

    Returns:
        Mean and interval.

    Raises:
        ValueError: no value, NaN, or a level outside (0, 1).

    Source: Efron's percentile bootstrap.
    """
    return _interval(values, bootstrap_means(values, samples, seed), level)


def _interval(values: ArrayLike, means: NDArray[np.float64], level: float) -> Interval:
    """Percentile interval of resampled means."""
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be in (0, 1), got {level}")
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(exact_mean(values), float(low), float(high), len(np.asarray(values)), level)


@dataclass(frozen=True)
class PairedDifference:
    """Difference of two systems on the same users.

    Attributes:
        difference: interval of mean(a - b).
        p_value: two-sided bootstrap p-value of "no difference".
    """

    difference: Interval
    p_value: float


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, level: float = 0.95, samples: int = 2000, seed: int = 0
) -> PairedDifference:
    """Whether system a differs from system b on the same users.

    Args:
        a: (n,) value of system a per user.
        b: (n,) value of system b for the same users in the same order.
        level: confidence level.
        samples: bootstrap resamples.
        seed: seed of the resampling.

    Returns:
        Interval of mean(a - b), and twice the smaller share of resampled means on one side of zero (at least
        1 / samples, since a bootstrap cannot show less; ties at zero count for both sides).

    Raises:
        ValueError: different lengths.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(f"a paired bootstrap needs the same users, got {first.shape} and {second.shape} values")
    means = bootstrap_means(first - second, samples, seed)
    tail = min(float((means <= 0).mean()), float((means >= 0).mean()))
    return PairedDifference(mean_ci(first - second, level, samples, seed), min(1.0, max(2 * tail, 1 / samples)))
