"""Which K of the candidates make a list that is good and varied? MMR and DPP over scores and item vectors.

Legend: n questions, C candidates each, K list length, d width. `diversity` in [0, 1]: 0 keeps the order of the scores.
Source: Carbonell and Goldstein 1998 (MMR); Chen et al. 2018 (arXiv 1709.05135, fast greedy MAP of a DPP).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

IntArray = NDArray[np.int64]
Floats = NDArray[np.float64]
METHODS = ("mmr", "dpp")


def rerank(
    items: ArrayLike, scores: ArrayLike, vectors: ArrayLike, k: int, diversity: float, method: str = "mmr"
) -> IntArray:
    """Choose and order K of each question's candidates.

    Args:
        items: (n, C) candidates, best first, -1 where there are fewer.
        scores: (n, C) their scores (log-probabilities), higher is better.
        vectors: (num_items, d) item vectors, any scale.
        k: K.
        diversity: 0 for accuracy alone ... 1 for variety alone.
        method: "mmr" or "dpp".

    Returns:
        (n, K) items, -1 where a question has fewer candidates.

    Raises:
        ValueError: a diversity outside [0, 1], or an unknown method.
    """
    if not 0.0 <= diversity <= 1.0:
        raise ValueError(f"diversity must be in [0, 1], got {diversity}")
    if method not in METHODS:
        raise ValueError(f"method {method!r} is unknown; choose one of {', '.join(METHODS)}")
    candidates, values = np.asarray(items, dtype=np.int64), np.asarray(scores, dtype=np.float64)
    result = np.full((len(candidates), k), -1, dtype=np.int64)
    choose = mmr if method == "mmr" else dpp
    unit = _unit(vectors)
    for row, listed in enumerate(candidates):
        real = np.flatnonzero(listed >= 0)
        similarity = unit[listed[real]] @ unit[listed[real]].T
        chosen = choose(relevance(values[row, real]), similarity, k, diversity)
        result[row, : len(chosen)] = listed[real][chosen]
    return result


def relevance(scores: ArrayLike) -> Floats:
    """Scores (C,) as shares of the best: exp(score - largest), in (0, 1]."""
    values = np.asarray(scores, dtype=np.float64)
    return np.exp(values - values.max(initial=-np.inf)) if len(values) else values


def mmr(gains: Floats, similarity: Floats, k: int, diversity: float) -> list[int]:
    """Maximal marginal relevance: each next item by (1 - diversity) gain - diversity * largest cosine to the chosen.

    Args:
        gains: (C,) in (0, 1].
        similarity: (C, C) cosines.
        k: items wanted.
        diversity: in [0, 1].

    Returns:
        Up to k positions; ties take the earlier one.
    """
    chosen: list[int] = []
    left = np.ones(len(gains), dtype=bool)
    nearest = np.zeros(len(gains))
    while len(chosen) < k and left.any():
        value = np.where(left, (1 - diversity) * gains - diversity * nearest, -np.inf)
        chosen.append(int(value.argmax()))
        left[chosen[-1]] = False
        nearest = similarity[chosen[-1]].copy() if len(chosen) == 1 else np.maximum(nearest, similarity[chosen[-1]])
    return chosen


def dpp(gains: Floats, similarity: Floats, k: int, diversity: float) -> list[int]:
    """Greedy most probable subset of the DPP with kernel L_ij = q_i S_ij q_j, q = gain^(1 - diversity).

    Args:
        gains: (C,) in (0, 1].
        similarity: (C, C) cosines; mixed with the identity by `diversity` = 0 ... 1, so that 0 keeps the order.
        k: items wanted.
        diversity: in [0, 1].

    Returns:
        Up to k positions; ends early when what is left is a combination of the chosen.
    """
    size = len(gains)
    quality = np.maximum(gains, 1e-12) ** (1 - diversity)
    kernel = quality[:, None] * (diversity * similarity + (1 - diversity) * np.eye(size)) * quality[None, :]
    chosen: list[int] = []
    rest, rows = kernel.diagonal().copy(), np.zeros((0, size))
    while len(chosen) < min(k, size):
        best = int(rest.argmax())
        if rest[best] <= 1e-10:
            break
        chosen.append(best)
        row = (kernel[best] - rows[:, best] @ rows) / np.sqrt(rest[best])
        rows = np.vstack([rows, row])
        rest = rest - row**2
        rest[chosen] = -np.inf
    return chosen


def _unit(vectors: ArrayLike) -> Floats:
    """Vectors (num_items, d) of length 1; zero vectors stay zero."""
    table = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    return np.divide(table, norms, out=np.zeros_like(table), where=norms > 0)
