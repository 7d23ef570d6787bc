"""In which order are texts encoded? By length, so that a batch carries little padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def encode_by_length(
    texts: Sequence[str], lengths: Sequence[int], batch_size: int, encode_batch: Callable[[list[str]], Floats]
) -> Floats:
    """Encode in batches of similar length, longest first, and restore the order.

    Args:
        texts: (n,).
        lengths: (n,) lengths to sort by, for example in tokens.
        batch_size: texts per batch.
        encode_batch: gives (batch, d) vectors of a batch.

    Returns:
        (n, d).
    """
    from tqdm import tqdm

    order = np.argsort(-np.asarray(lengths), kind="stable")
    rows: list[Floats] = []
    for start in tqdm(range(0, len(order), batch_size), desc="encode", unit="batch", disable=None, leave=False):
        rows.append(encode_batch([texts[i] for i in order[start : start + batch_size]]))
    result = np.concatenate(rows)
    result[order] = result.copy()
    return result.astype(np.float32, copy=False)
