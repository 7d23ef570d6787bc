"""Which items are alike by their texts? The neighbours that FlexCode's smoothness looks at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def nearest_texts(vectors: Floats, number: int = 8) -> tuple[NDArray[np.int64], Floats]:
    """Nearest other items by cosine, exactly.

    Args:
        vectors: (n, d) of texts.
        number: k; fewer where there are not as many other items.

    Returns:
        Items (n, k), nearest first, and their cosines (n, k).
    """
    import faiss

    unit = np.ascontiguousarray(vectors, dtype=np.float32)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True).clip(min=1e-12)
    index = faiss.IndexFlatIP(unit.shape[1])
    index.add(unit)
    cosines, items = index.search(unit, min(number + 1, len(unit)))
    own = items == np.arange(len(items))[:, None]
    own[~own.any(axis=1), -1] = True  # among copies of itself an item may not be found; then the last one goes
    rest = (len(items), items.shape[1] - 1)
    return items[~own].reshape(rest).astype(np.int64), cosines[~own].reshape(rest)
