"""For whom, and for which items, does it work? Head and tail of users and items.

Legend: n users evaluated. Tail users have the shortest 80 % of histories, tail items the least frequent 80 %.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.metrics.ranking import ranking_table

TAIL_SHARE = 0.8


def tail_mask(sizes: ArrayLike, share: float = TAIL_SHARE) -> NDArray[np.bool_]:
    """Mark the smallest part of a population.

    Args:
        sizes: (m,) history lengths of users, or training counts of items.
        share: share that is tail, in [0, 1].

    Returns:
        (m,) bool, True for the `floor(share * m)` smallest; among equal sizes the lower index is tail.

    Raises:
        ValueError: share outside [0, 1].

    Source: METHODS 2 (tail users = shortest 80 %, tail items = least frequent 80 %).
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"share must be in [0, 1], got {share}")
    values = np.asarray(sizes)
    mask = np.zeros(len(values), dtype=bool)
    mask[np.argsort(values, kind="stable")[: int(share * len(values) + 1e-9)]] = True
    return mask


def group_masks(
    history_lengths: ArrayLike, targets: ArrayLike, item_counts: ArrayLike, share: float = TAIL_SHARE
) -> dict[str, NDArray[np.bool_]]:
    """Head and tail of the evaluated users and of their target items.

    Args:
        history_lengths: (n,) length of each evaluated user's history.
        targets: (n,) dense item index of each target.
        item_counts: (num_items,) training interactions of each item, the whole catalogue.
        share: share that is tail.

    Returns:
        `tail_users`, `head_users`, `tail_items`, `head_items`: (n,) bool each, True for rows of the group.
    """
    tail_users = tail_mask(history_lengths, share)
    tail_items = tail_mask(item_counts, share)[np.asarray(targets, dtype=np.int64)]
    return {
        "tail_users": tail_users,
        "head_users": ~tail_users,
        "tail_items": tail_items,
        "head_items": ~tail_items,
    }


def group_table(ranks: ArrayLike, groups: dict[str, NDArray[np.bool_]], ks: Sequence[int] = (10,)) -> dict[str, float]:
    """Ranking figures per group.

    Args:
        ranks: (n,) 0-based ranks, -1 for a miss.
        groups: (n,) masks by name, see `group_masks`.
        ks: cut-offs.

    Returns:
        `{"Recall@10_tail_users": ..., "NDCG@10_tail_users": ..., "n_tail_users": ...}`; an empty group has
        only its
        count 0.
    """
    table: dict[str, float] = {}
    for name, mask in groups.items():
        table[f"n_{name}"] = int(mask.sum())
        if mask.any():
            figures = ranking_table(np.asarray(ranks)[mask], ks)
            table.update({f"{metric}_{name}": value for metric, value in figures.items()})
    return table
