"""Which figures does GRASP add to a row? CrossCat@10, and how attention follows the neighbours' cosine.

Legend: n users, V items, K list length.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from genrec.backbones.protocol import IdModel
from genrec.backbones.rank import IdRanking
from genrec.data.dataset import Dataset
from genrec.data.split import Split, Targets
from llmrec.categories import cross_category_share, main_categories
from llmrec.grasp.model import Grasp

Row = dict[str, Any]
SAMPLE = 2000  # users whose attention is read


def grasp_figures(dataset: Dataset, split: Split) -> Callable[[IdModel, IdRanking], Row]:
    """Function that adds to each row `CrossCat@10`, and for GRASP `attention_by_cosine` (see there)."""
    categories, _ = main_categories(dataset.catalogue)

    def more(model: IdModel, found: IdRanking) -> Row:
        row: Row = {}
        share = cross_category_share(found.items, split.test.histories, categories)
        if share is not None:
            row["CrossCat@10"] = share
        if isinstance(model, Grasp) and model.holistic.global_features and model.holistic.attention:
            value = attention_by_cosine(model, split.test.sample(SAMPLE, 0))
            row |= {} if value is None else {"attention_by_cosine": value}
        return row

    return more


def attention_by_cosine(model: Grasp, targets: Targets) -> float | None:
    """Rank correlation of an item's attention weight with the mean cosine of the items that its feature comes from.

    Args:
        model: with global attention.
        targets: users whose last position is read; within each user weights are ranked, so that users with longer
            histories (smaller weights) do not decide.

    Returns:
        Spearman's correlation over all (user, item) pairs of ranks within the user; None where nothing varies.
        Positive: features from poor neighbours weigh less.

    Source: METHODS 2.
    """
    cosines = model.features.tables["item_cosines"][:, 0].numpy()
    recent = model.backbone.config.max_history
    weights, nearness = [], []
    for start in range(0, len(targets), 256):
        histories = targets.histories[start : start + 256]
        found = model.global_weights(targets.users[start : start + 256], histories)
        for row, history in zip(found, histories, strict=True):
            if len(row) > 1:
                weights.append(_centred_ranks(row))
                nearness.append(_centred_ranks(cosines[history[-recent:][: len(row)]]))
    if not weights:
        return None
    first, second = np.concatenate(weights), np.concatenate(nearness)
    spread = float(first.std() * second.std())
    return float((first * second).mean() / spread) if spread > 0 else None


def _centred_ranks(values: ArrayLike) -> Any:
    """Ranks of a row (ties share their mean), minus their mean."""
    from scipy.stats import rankdata

    ranks = rankdata(values)
    return ranks - ranks.mean()
