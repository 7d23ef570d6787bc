"""How would a paper that ranks against 100 negatives rate this model? Only to stand beside such papers.

Sampled ranking inflates Recall@10 about 8 times and can reverse an order (Krichene and Rendle 2020), so every column
made here says so in its name. Legend: n users, K negatives each (100), V items.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from genrec.backbones.protocol import IdModel, IntArray
from genrec.backbones.rank import score_rows
from genrec.data.split import Targets
from genrec.metrics.ranking import ndcg_at_k, recall_at_k

NUM_NEGATIVES = 100


def draw_negatives(targets: Targets, num_items: int, seed: int, count: int = NUM_NEGATIVES) -> IntArray:
    """Items that a user neither had nor is asked for, uniformly and without repetition.

    Args:
        targets: n questions.
        num_items: V.
        seed: the draw is a function of it and of the user, the same for all models.
        count: K.

    Returns:
        (n, K) items.

    Raises:
        ValueError: a user has fewer than K items left.
    """
    drawn = np.empty((len(targets), count), np.int64)
    for row in range(len(targets)):
        gone = np.unique(np.append(targets.histories[row], targets.targets[row]))
        if num_items - len(gone) < count:
            raise ValueError(
                f"user {targets.users[row]} has {num_items - len(gone)} items left of {num_items}, fewer than the "
                f"{count} negatives of sampled ranking; leave sampled ranking out (--sampled false)"
            )
        left = np.delete(np.arange(num_items), gone)
        drawn[row] = np.random.default_rng((seed, int(targets.users[row]))).choice(left, count, replace=False)
    return drawn


def sampled_ranks(scores: NDArray[np.float32], targets: IntArray, negatives: IntArray) -> IntArray:
    """Rank of each target among itself and its negatives, ties against it.

    Args:
        scores: (n, V).
        targets: (n,).
        negatives: (n, K).

    Returns:
        (n,) 0-based ranks.
    """
    goal = np.take_along_axis(scores, targets[:, None], 1)
    return (np.take_along_axis(scores, negatives, 1) >= goal).sum(axis=1).astype(np.int64)


def rank_sampled(model: IdModel, targets: Targets, seed: int = 0, batch_size: int = 256) -> IntArray:
    """Ranks (n,) of all targets, each among 1 + 100 items.

    Args:
        model: id model.
        targets: n questions.
        seed: of the negatives.
        batch_size: users per forward pass.
    """
    negatives, ranks = draw_negatives(targets, model.num_items, seed), np.empty(len(targets), np.int64)
    for start in range(0, len(targets), batch_size):
        rows = np.arange(start, min(start + batch_size, len(targets)))
        with torch.inference_mode():
            scores = score_rows(model, targets, rows).float().cpu().numpy()
        ranks[rows] = sampled_ranks(scores, targets.targets[rows], negatives[rows])
    return ranks


def sampled_table(ranks: IntArray) -> dict[str, float]:
    """`Recall@10_sampled100` and `NDCG@10_sampled100` of ranks (n,)."""
    return {"Recall@10_sampled100": recall_at_k(ranks, 10), "NDCG@10_sampled100": ndcg_at_k(ranks, 10)}
