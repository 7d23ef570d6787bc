"""Is this index any good? Collisions, code usage, distortion and the shape of the tree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.sid.codes import ItemCodes
from genrec.sid.rq_kmeans import RQKMeans, reconstruction_error
from genrec.sid.unique import collision_sets


def index_health(
    item_codes: ItemCodes,
    raw_codes: ArrayLike | None = None,
    embeddings: ArrayLike | None = None,
    quantiser: RQKMeans | None = None,
) -> dict[str, Any]:
    """Everything worth knowing about an index, as plain JSON values.

    Args:
        item_codes: the final index.
        raw_codes: (n, H) codes before collisions were resolved; without them the collision part is left out.
        embeddings: (n, d); with `quantiser` they give the reconstruction part.
        quantiser: the codebooks.

    Returns:
        `num_items`, `hash`, `levels` (usage and perplexity per level), `prefix_groups` (per prefix length),
        and where the inputs allow `collisions` and `reconstruction`.
    """
    report: dict[str, Any] = {
        "num_items": item_codes.num_items,
        "hash": item_codes.hash,
        "config": item_codes.config,
        "levels": [level_usage(codes, size) for codes, size in _columns(item_codes)],
        "prefix_groups": [prefix_groups(item_codes.codes, length) for length in range(1, item_codes.num_levels)],
        "length_counts": {
            str(k): int(v) for k, v in zip(*np.unique(item_codes.lengths, return_counts=True), strict=True)
        },
    }
    if raw_codes is not None:
        report |= collisions(item_codes, np.asarray(raw_codes, dtype=np.int64))
    if embeddings is not None and quantiser is not None:
        report["reconstruction"] = reconstruction(item_codes, raw_codes, embeddings, quantiser)
    return report


def _columns(item_codes: ItemCodes) -> list[tuple[NDArray[np.int64], int]]:
    return list(zip(item_codes.codes.T, item_codes.codebook_sizes, strict=True))


def level_usage(codes: NDArray[np.int64], size: int) -> dict[str, Any]:
    """How evenly one level uses its codes.

    Args:
        codes: (n,) codes of one level, -1 ignored.
        size: N_l.

    Returns:
        `size`, `used` codes, `usage` = used / size, `perplexity` = exp(entropy): `size` when all are
        equally frequent; `largest` and `smallest` cluster.
    """
    counts = np.bincount(codes[codes >= 0], minlength=size)
    shares = counts[counts > 0] / max(counts.sum(), 1)
    return {
        "size": int(size),
        "used": int((counts > 0).sum()),
        "usage": float((counts > 0).mean()),
        "perplexity": float(np.exp(-(shares * np.log(shares)).sum())),
        "largest": int(counts.max()),
        "smallest": int(counts.min()),
    }


def prefix_groups(codes: NDArray[np.int64], length: int) -> dict[str, Any]:
    """How many items share their first `length` codes.

    Returns:
        `length`, number of `groups`, and `mean`, `median`, `max` group size, and `alone`: groups of one item.
    """
    _, sizes = np.unique(codes[:, :length], axis=0, return_counts=True)
    return {
        "length": length,
        "groups": len(sizes),
        "mean": float(sizes.mean()),
        "median": float(np.median(sizes)),
        "max": int(sizes.max()),
        "alone": int((sizes == 1).sum()),
    }


def collisions(item_codes: ItemCodes, raw: NDArray[np.int64]) -> dict[str, Any]:
    """What uniqueness cost: items that shared their codes, and items whose nominal codes changed."""
    final = item_codes.codes[:, : raw.shape[1]]
    colliding = sum(len(group) for group in collision_sets(raw))
    return {
        "collision_rate_before": colliding / len(raw),
        "items_colliding_before": int(colliding),
        "items_moved": int((final != raw).any(axis=1).sum()),
        "items_moved_to_other_prefix": int((final[:, :-1] != raw[:, :-1]).any(axis=1).sum()),
    }


def reconstruction(
    item_codes: ItemCodes, raw_codes: ArrayLike | None, embeddings: ArrayLike, quantiser: RQKMeans
) -> dict[str, float]:
    """Mean squared distance of embeddings to their codes' sum, also as a share of the embeddings' variance.

    Returns:
        `error` and `share_of_variance` of the final codes, `error_before` for the raw ones.
    """
    vectors = np.asarray(embeddings, dtype=np.float32)
    nominal = item_codes.codes[:, : quantiser.num_levels]
    error = reconstruction_error(vectors, quantiser.reconstruct(nominal))
    variance = reconstruction_error(vectors, np.broadcast_to(vectors.mean(axis=0), vectors.shape))
    report = {"error": error, "share_of_variance": error / variance if variance > 0 else 0.0}
    if raw_codes is not None:
        report["error_before"] = reconstruction_error(vectors, quantiser.reconstruct(raw_codes))
    return report
