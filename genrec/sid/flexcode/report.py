"""Does the split follow popularity, and are the codebooks used? Figures for health.json."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.sid.codes import ItemCodes
from genrec.sid.health import level_usage

IntArray = NDArray[np.int64]


def book_usage(item_codes: ItemCodes) -> list[dict[str, Any]]:
    """Usage of every codebook (see `level_usage`) with its name, over the positions where it occurs."""
    rows, offset = [], 0
    for name, size in item_codes.books or ():
        inside = (item_codes.codes >= offset) & (item_codes.codes < offset + size)
        rows.append({"name": name, **level_usage(item_codes.codes[inside] - offset, size)})
        offset += size
    return rows


def alpha_by_popularity(
    alpha: NDArray[np.floating[Any]], collaborative: IntArray, semantic: IntArray, counts: IntArray, groups: int = 10
) -> dict[str, Any]:
    """Alpha against popularity, as numbers a plot can be drawn from.

    Args:
        alpha: (n,) collaborative share before rounding.
        collaborative: (n,) collaborative tokens.
        semantic: (n,) semantic tokens.
        counts: (n,) training interactions.
        groups: items are cut into this many groups of equal size, least popular first.

    Returns:
        `rank_correlation` of alpha and counts (Spearman; None where either is constant) and `groups`: items, and
        means of count, alpha, collaborative and semantic tokens.
    """
    from scipy.stats import spearmanr

    order = np.argsort(counts, kind="stable")
    rows = [
        {
            "items": len(part),
            "mean_count": float(counts[part].mean()),
            "alpha": float(alpha[part].mean()),
            "collaborative_tokens": float(collaborative[part].mean()),
            "semantic_tokens": float(semantic[part].mean()),
        }
        for part in np.array_split(order, min(groups, len(order)))
    ]
    varies = np.ptp(alpha) > 0 and np.ptp(counts) > 0
    correlation = float(spearmanr(alpha, counts).statistic) if varies else None
    return {"rank_correlation": correlation, "groups": rows}
