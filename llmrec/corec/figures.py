"""Which figures does CoRec add to a row? Scenes, completion, new behaviour, robustness to noise, separation.

Legend: n test users, V items, C clusters, K list length.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.backbones.protocol import IdModel
from genrec.backbones.rank import IdRanking, evaluate_id_model
from genrec.data.dataset import Dataset
from genrec.data.split import Split
from genrec.metrics.groups import group_table
from genrec.metrics.ranking import exact_mean, ndcg_at_k, recall_at_k
from llmrec.categories import main_categories
from llmrec.corec.interests import Interests
from llmrec.corec.scenes import FEWEST, hidden_parts, new_behaviour, noisy, scene_masks, truncated

Row = dict[str, Any]
SEPARATED = 2000  # sequences whose silhouette is computed


def corec_figures(
    dataset: Dataset, split: Split, interests: Interests, users: int | None = 4000, core_share: float = 0.25
) -> Callable[[IdModel, IdRanking], Row]:
    """Function that adds CoRec's figures to a row.

    Args:
        dataset: its catalogue tells categories.
        split: test users.
        interests: clusters from training, the same for all models.
        users: changed inputs (truncated, noisy, hidden parts) are judged on a fixed sample of this many; None: all.
        core_share: a cluster with this share of a history is a core interest.
    """
    categories, _ = main_categories(dataset.catalogue)
    masks = scene_masks(split, categories) | {"new_behaviour": new_behaviour(split.test, categories)}

    def more(model: IdModel, found: IdRanking) -> Row:
        row: Row = dict(group_table(found.ranks, masks))
        sample = split.test.sample(users, 0)
        if int(masks["short"].sum()) < FEWEST:
            ranks = evaluate_id_model(model, truncated(sample))
            row |= {
                "Recall@10_short_truncated": recall_at_k(ranks, 10),
                "NDCG@10_short_truncated": ndcg_at_k(ranks, 10),
            }
        row |= _robustness(model, sample, split.popularity(dataset.num_items))
        row["Completion@10"] = completion_accuracy(model, split, interests, core_share, users)
        if hasattr(model, "encode"):
            row["Separation"] = separation(model, split, interests)
        return {name: value for name, value in row.items() if value is not None}

    return more


def _robustness(model: IdModel, sample: Any, counts: NDArray[np.int64]) -> Row:
    """NDCG@10 with 20 % inserted clicks over NDCG@10 without, for random and popular clicks."""
    clean = ndcg_at_k(evaluate_id_model(model, sample), 10)
    kinds = {"random": np.ones(len(counts)), "popular": counts.astype(np.float64)}
    return {
        f"Kept@{name}_noise": ndcg_at_k(evaluate_id_model(model, noisy(sample, weights)), 10) / clean if clean else None
        for name, weights in kinds.items()
    }


def completion_accuracy(
    model: IdModel,
    split: Split,
    interests: Interests,
    core_share: float = 0.25,
    users: int | None = None,
    k: int = 10,
) -> float | None:
    """Recall@10 of hidden training interactions of the core interests, given the rest of the training history.

    Completion speaks of core interests only, so every model lists items of the same clusters and is asked for hidden
    items of these; a model's score within them is its own.

    Args:
        model: with `complete(histories)`, else its next-item scores are taken; what is left of a history is not listed.
        split: training histories.
        interests: clusters, the same for all models.
        core_share: see `Interests.core`.
        users: a fixed sample of this many users; None: all.
        k: list length.

    Returns:
        Mean over users of the share of hidden core items that are listed, None where no history hides one. The model
        has been trained on these interactions: this measures completion, not prediction.

    Source: METHODS 6.
    """
    parts = hidden_parts(split.train)
    if users is not None and len(parts) > users:
        parts = [parts[row] for row in np.sort(np.random.default_rng(0).choice(len(parts), users, replace=False))]
    score = getattr(model, "complete", model.score_histories)
    shares = []
    for start in range(0, len(parts), 256):
        some = parts[start : start + 256]
        scores = score([left for _, left, _ in some]).float().cpu().numpy().copy()
        for own, (_, left, gone) in zip(scores, some, strict=True):
            core = interests.members(interests.core(left, core_share))
            asked = gone[core[gone]]
            own[~core], own[left] = -np.inf, -np.inf
            listed = np.argsort(-own, kind="stable")[:k]
            if len(asked):
                shares.append(float(np.isin(asked, listed).mean()))
    return exact_mean(shares) if shares else None


def separation(model: Any, split: Split, interests: Interests, count: int = SEPARATED) -> float | None:
    """Silhouette of sequence vectors by dominant interest cluster, cosine distance.

    Args:
        model: with `encode(histories)`.
        split: training histories.
        interests: clusters.
        count: sequences in a fixed sample.

    Returns:
        In [-1, 1], None where fewer than two clusters have two sequences.

    Source: METHODS 6; Rousseeuw 1987 for the silhouette.
    """
    from sklearn.metrics import silhouette_score

    histories = [history for history in split.train if len(history)]
    if len(histories) > count:
        rows = np.sort(np.random.default_rng(0).choice(len(histories), count, replace=False))
        histories = [histories[row] for row in rows]
    labels = np.array([interests.dominant(history) for history in histories])
    sizes = np.bincount(labels[labels >= 0], minlength=interests.count)
    kept = np.flatnonzero((labels >= 0) & (sizes[labels] >= 2))
    if len(np.unique(labels[kept])) < 2:
        return None
    chosen = [histories[row] for row in kept]
    vectors = [model.encode(chosen[start : start + 256]).float().cpu().numpy() for start in range(0, len(chosen), 256)]
    return float(silhouette_score(np.concatenate(vectors), labels[kept], metric="cosine"))
