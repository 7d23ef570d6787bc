"""How does a request trade accuracy for variety? A re-ranking by maximal marginal relevance over code prefixes.

Legend: n candidates, H code levels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

POOL = 4
"""Candidates per wanted item when variety is asked for."""


def prefix_similarity(codes: ArrayLike) -> NDArray[np.float64]:
    """Share of equal leading codes of every pair.

    Args:
        codes: (n, H) codes, -1 padded.

    Returns:
        (n, n) in [0, 1], 1 on the diagonal.
    """
    table = np.asarray(codes)
    equal = (table[:, None] == table[None]) & (table[:, None] >= 0)
    shared = np.cumprod(equal, axis=2).sum(axis=2).astype(np.float64)
    lengths = (table >= 0).sum(axis=1)
    return shared / np.maximum(1, np.minimum(lengths[:, None], lengths[None]))  # type: ignore[no-any-return]


def diverse_order(scores: ArrayLike, similarity: NDArray[np.float64], k: int, diversity: float) -> list[int]:
    """Choose k of n candidates one by one: good ones that are unlike those chosen already.

    Args:
        scores: (n,) higher is better, finite; scaled to [0, 1] first.
        similarity: (n, n) in [0, 1].
        k: Items wanted, at most n.
        diversity: 0 keeps the order by score, 1 looks at similarity only.

    Returns:
        k positions, in order of choice.

    Source: Carbonell and Goldstein 1998 (MMR); similarity by code prefix is ours, because similar items share their
    first codes.
    """
    values = np.asarray(scores, dtype=np.float64)
    span = float(np.ptp(values)) or 1.0
    relevance = (values - values.min()) / span
    chosen: list[int] = []
    closest = np.zeros(len(values))
    free = np.ones(len(values), dtype=bool)
    for _ in range(min(k, len(values))):
        gain = np.where(free, (1 - diversity) * relevance - diversity * closest, -np.inf)
        best = int(gain.argmax())
        chosen.append(best)
        free[best] = False
        closest = np.maximum(closest, similarity[best])
    return chosen
