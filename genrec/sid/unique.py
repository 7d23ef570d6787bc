"""How does every item get codes of its own, when a quantiser gives several items the same?

`reassign`: colliding items take free last-level codes at the least total distortion (a linear assignment
per prefix group); what finds no room goes to a neighbouring prefix. `suffix`: all items of a collision get
an extra token.
Source: METHODS 1.1 (seed 003; `suffix` is the GREAM authors' way).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.sid.codes import ItemCodes
from genrec.sid.rq_kmeans import RQKMeans
from genrec.sid.seating import Seating

Codes = NDArray[np.int64]
Policy = Literal["reassign", "suffix"]


def collision_sets(codes: Codes) -> list[NDArray[np.int64]]:
    """Groups of at least two items with equal codes.

    Args:
        codes: (n, H).

    Returns:
        Item indices of each group, ascending; groups in lexicographic order of their codes.
    """
    _, inverse, counts = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(inverse.ravel(), kind="stable")
    groups = np.split(order, np.cumsum(counts)[:-1])
    return [group for group in groups if len(group) > 1]


def make_unique(
    raw_codes: ArrayLike,
    embeddings: ArrayLike,
    quantiser: RQKMeans,
    policy: Policy = "reassign",
    config: Mapping[str, Any] | None = None,
) -> tuple[ItemCodes, dict[str, int]]:
    """Resolve all collisions.

    Args:
        raw_codes: (n, H) codes as the quantiser gave them.
        embeddings: (n, d), to measure distortion.
        quantiser: its codebooks.
        policy: `"reassign"` (all items keep length H) or `"suffix"` (colliding items get length H + 1).
        config: stored in the result.

    Returns:
        The codes, and counts: `colliding_items`, `collision_sets`, `items_moved`,
        `items_moved_to_other_prefix`.

    Raises:
        ValueError: unknown policy, or more items than codes.
    """
    raw = np.asarray(raw_codes, dtype=np.int64)
    if policy not in ("reassign", "suffix"):
        raise ValueError(f"collisions={policy!r} is unknown; choose 'reassign' or 'suffix'")
    groups = collision_sets(raw)
    settings = {**dict(config or {}), "collisions": policy}
    if policy == "suffix":
        codes, sizes = _with_suffix(raw, groups, quantiser.codebook_sizes)
    else:
        codes, sizes = _reassigned(raw, groups, embeddings, quantiser), quantiser.codebook_sizes
    index = ItemCodes(codes, sizes, nominal_levels=raw.shape[1], config=settings)
    return index, movement(raw, codes, groups)


def _reassigned(raw: Codes, groups: list[Codes], embeddings: ArrayLike, quantiser: RQKMeans) -> Codes:
    """Everyone outside a collision sits first; the colliding items share what is free."""
    movers = np.sort(np.concatenate(groups)) if groups else np.empty(0, dtype=np.int64)
    settled = np.setdiff1d(np.arange(len(raw)), movers)
    seating = Seating(quantiser, taken=tuples(raw[settled]))
    codes = raw.copy()
    codes[movers] = seating.seat(raw[movers], np.asarray(embeddings, dtype=np.float32)[movers])
    return codes


def _with_suffix(raw: Codes, groups: list[Codes], sizes: tuple[int, ...]) -> tuple[Codes, tuple[int, ...]]:
    """Number the items of each collision set 0, 1, ... in a further column; the others stay shorter.

    All items of a set get a suffix, so that no SID is the beginning of another.
    """
    if not groups:
        return raw, sizes
    suffix = np.full(len(raw), -1, dtype=np.int64)
    for group in groups:
        suffix[group] = np.arange(len(group))
    return np.column_stack([raw, suffix]), (*sizes, int(suffix.max()) + 1)


def movement(raw: Codes, codes: Codes, groups: list[Codes]) -> dict[str, int]:
    """Counts of what changed between raw (n, H) and final (n, >=H) codes."""
    width = raw.shape[1]
    return {
        "colliding_items": int(sum(len(group) for group in groups)),
        "collision_sets": len(groups),
        "items_moved": int((codes[:, :width] != raw).any(axis=1).sum()),
        "items_moved_to_other_prefix": int((codes[:, : width - 1] != raw[:, :-1]).any(axis=1).sum()),
    }


def tuples(codes: Codes) -> Iterable[tuple[int, ...]]:
    """Rows of (n, H) as tuples."""
    return (tuple(row) for row in codes.tolist())
