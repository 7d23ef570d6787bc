"""What codes does an item get that arrives after training?

Frozen codebooks, old SIDs unmoved, no new tokens. Source: METHODS 1.5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.sid.codes import PAD, ItemCodes
from genrec.sid.rq_kmeans import RQKMeans
from genrec.sid.seating import Seating
from genrec.sid.unique import movement, tuples

Codes = NDArray[np.int64]


def assign_new_items(index: ItemCodes, quantiser: RQKMeans, embeddings: ArrayLike) -> tuple[ItemCodes, dict[str, int]]:
    """Give new items codes in a trained index: frozen codebooks, old SIDs unmoved, no new tokens.

    A new item with a free code keeps it. In an index with suffixes it may join a collision set that has
    suffix codes left; otherwise it takes the nearest free last-level code.

    Args:
        index: the trained index.
        quantiser: the codebooks it was built with.
        embeddings: (m, d) vectors of the new items, from the same encoder.

    Returns:
        An index of num_items + m items (the new ones last, `config["extends"]` = hash of the old index),
        and counts: `new_items`, `items_moved`, `items_moved_to_other_prefix`.

    Raises:
        ValueError: the quantiser does not fit the index, or the code space is full.
    """
    width = index.nominal_levels
    if quantiser.codebook_sizes != index.codebook_sizes[:width]:
        raise ValueError(
            f"the quantiser has codebooks {quantiser.codebook_sizes}, "
            f"the index {index.codebook_sizes[:width]}; "
            "load the quantiser.npz that was saved beside index.json"
        )
    raw = quantiser.encode(embeddings)
    codes = _joined(index, raw)
    waiting = np.flatnonzero(codes[:, 0] < 0)
    seating = Seating(quantiser, taken=tuples(np.concatenate([index.codes, codes[codes[:, 0] >= 0]])[:, :width]))
    seated = seating.seat(raw[waiting], np.asarray(embeddings, dtype=np.float32)[waiting])
    codes[np.ix_(waiting, np.arange(width))] = seated
    config = {**index.config, "extends": index.hash, "new_items": len(raw)}
    extended = ItemCodes(np.concatenate([index.codes, codes]), index.codebook_sizes, width, config)
    moved = movement(raw, codes[:, :width], [])
    return extended, {"new_items": len(raw)} | {k: v for k, v in moved.items() if k.startswith("items_moved")}


def _joined(index: ItemCodes, raw: Codes) -> Codes:
    """Rows (m, H') of items that join a collision set with suffix codes left; -1 for the others."""
    codes = np.full((len(raw), index.num_levels), PAD, dtype=np.int64)
    if index.num_levels == index.nominal_levels:
        return codes
    suffixed = index.codes[index.codes[:, -1] >= 0]
    used: dict[tuple[int, ...], int] = {}
    for row in suffixed.tolist():
        used[tuple(row[:-1])] = max(used.get(tuple(row[:-1]), 0), row[-1] + 1)
    for i, row in enumerate(raw.tolist()):
        following = used.get(tuple(row))
        if following is not None and following < index.codebook_sizes[-1]:
            codes[i] = [*row, following]
            used[tuple(row)] = following + 1
    return codes
