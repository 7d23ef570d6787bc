"""What does an answer owe to its chain? Beams behind a user's own chain, and behind another user's.

Legend: u users, k items per list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genrec.data.split import Targets
from genrec.metrics.lists import duplicate_count
from genrec.metrics.ranking import exact_mean, ndcg_at_k, ranks_from_lists, recall_at_k

if TYPE_CHECKING:
    from gream.recommend import GreamRecommender

BEAM_LIST = 10


def chain_figures(
    recommender: GreamRecommender, targets: Targets, chains: Sequence[str], batch_size: int = 32
) -> dict[str, float]:
    """What the answer owes to the chain: trie beam behind the own chain, and behind another user's.

    Args:
        recommender: The checkpoint.
        targets: The sample.
        chains: One chain per user.
        batch_size: Prompts per forward pass.

    Returns:
        `Recall@10_chain_beam`, `NDCG@10_chain_beam`, `duplicates` in these lists, `Pass@1_own_chain` (mean
        probability of the target behind the chain: Pass@1 of an answer drawn there, without the noise of the
        draw) and `Pass@1_swapped_chain`. The swap hands each user the chain of the next one with another target.

    Source: METHODS 1.3 (swapping in another user's chain must lower Pass@1).
    """
    width = min(BEAM_LIST, len(recommender.catalogue))
    own, scores = recommender.rank_after_chains(targets.histories, chains, width, batch_size=batch_size)
    ranks = ranks_from_lists(own, targets.targets)
    figures = {
        "Recall@10_chain_beam": recall_at_k(ranks, 10),
        "NDCG@10_chain_beam": ndcg_at_k(ranks, 10),
        "duplicates": duplicate_count(own, len(recommender.catalogue)),
    }
    donors = swap_donors(targets.targets)
    if donors is None:
        return figures
    foreign = [chains[donor] for donor in donors]
    swapped = recommender.rank_after_chains(targets.histories, foreign, width, batch_size=batch_size)
    figures["Pass@1_own_chain"] = exact_mean(target_probabilities(own, scores, targets.targets))
    figures["Pass@1_swapped_chain"] = exact_mean(target_probabilities(*swapped, targets.targets))
    return figures


def target_probabilities(
    items: NDArray[np.int64], scores: NDArray[np.float64], targets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Probability of each target by the beam that ranked it.

    Args:
        items: (u, k) lists.
        scores: (u, k) log-probabilities, nats.
        targets: (u,) target items.

    Returns:
        (u,) probabilities; 0 where the target is not in the list, so a lower bound.
    """
    return np.where(items == targets[:, None], np.exp(scores), 0.0).sum(axis=1)  # type: ignore[no-any-return]


def swap_donors(targets: Sequence[int] | NDArray[np.int64]) -> list[int] | None:
    """Whose chain each user gets: the next user (in a circle) with another target.

    Args:
        targets: (u,) target items.

    Returns:
        u user rows, or None when all targets are the same item and no foreign chain exists.
    """
    wanted = [int(target) for target in targets]
    if len(set(wanted)) < 2:
        return None
    size = len(wanted)
    return [next((i + s) % size for s in range(1, size) if wanted[(i + s) % size] != wanted[i]) for i in range(size)]
