"""How does an id model rank the targets? Full-catalogue ranks in both columns, and the lists behind them.

Legend: n users evaluated, K list length. Column "as is" ranks all items; column "unseen" leaves the user's
own
history out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from genrec.backbones.protocol import IdModel, IntArray, UserModel
from genrec.data.split import Targets
from genrec.metrics.ranking import DEFAULT_KS, ranking_table, ranks_from_scores


@dataclass
class IdRanking:
    """Ranks and lists of one model.

    Attributes:
        ranks: (n,) 0-based rank of the target among all items, ties against it.
        ranks_unseen: (n,) the same without the user's history; -1 where the target lies in the history.
        items: (n, K) best items, as is.
        items_unseen: (n, K) best items without the history, -1 where fewer are left.
    """

    ranks: IntArray
    ranks_unseen: IntArray
    items: IntArray
    items_unseen: IntArray

    def table(self, ks: Sequence[int] = DEFAULT_KS) -> dict[str, float]:
        """`Recall@k`, `NDCG@k` and their `_unseen` columns."""
        return {**ranking_table(self.ranks, ks), **ranking_table(self.ranks_unseen, ks, unseen=True)}


def rank_id_model(
    model: IdModel, targets: Targets, *, top_k: int = 10, batch_size: int = 256, progress: bool = False
) -> IdRanking:
    """Rank every target over the full catalogue; nobody is dropped.

    Args:
        model: id model.
        targets: questions; their whole histories are left out of the "unseen" column.
        top_k: K, length of the lists.
        batch_size: users per forward pass.
        progress: show a progress bar.

    Returns:
        Ranks and lists in the order of `targets`.
    """
    order = np.argsort([len(history) for history in targets.histories], kind="stable")
    width = min(top_k, model.num_items)
    ranks, unseen = np.empty(len(targets), np.int64), np.empty(len(targets), np.int64)
    items, items_unseen = (np.empty((len(targets), width), np.int64) for _ in range(2))
    starts = range(0, len(order), batch_size)
    for start in tqdm(starts, desc="ranking", unit="batch", disable=not progress):
        rows = order[start : start + batch_size]
        histories = [targets.histories[row] for row in rows]
        with torch.inference_mode():
            scores = score_rows(model, targets, rows).float().cpu()
        table, goals = scores.numpy(), targets.targets[rows]
        ranks[rows] = ranks_from_scores(table, goals)
        unseen[rows] = ranks_from_scores(table, goals, exclude=histories)
        items[rows] = _top(scores, width)
        items_unseen[rows] = _top(_without(scores, histories), width)
    return IdRanking(ranks, unseen, items, items_unseen)


def evaluate_id_model(
    model: IdModel, targets: Targets, exclude_history: bool = False, *, batch_size: int = 256
) -> IntArray:
    """Ranks of the targets in one column.

    Args:
        model: id model.
        targets: questions.
        exclude_history: False ranks all items, True leaves each user's own history out.
        batch_size: users per forward pass.

    Returns:
        (n,) 0-based ranks, pessimistic among ties; -1 where the target itself is left out.
    """
    ranks = np.empty(len(targets), np.int64)
    order = np.argsort([len(history) for history in targets.histories], kind="stable")
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        histories = [targets.histories[row] for row in rows]
        with torch.inference_mode():
            scores = score_rows(model, targets, rows).float().cpu().numpy()
        ranks[rows] = ranks_from_scores(scores, targets.targets[rows], exclude=histories if exclude_history else None)
    return ranks


def score_rows(model: IdModel, targets: Targets, rows: IntArray) -> Tensor:
    """Scores (len(rows), num_items) of some questions; a model that knows users is told who asks."""
    histories = [targets.histories[row] for row in rows]
    if isinstance(model, UserModel):
        return model.score_users(targets.users[rows], histories)
    return model.score_histories(histories)


def _top(scores: Tensor, width: int) -> NDArray[np.int64]:
    """Best items (n, width); -1 where the score is -inf."""
    best, index = scores.topk(width, dim=1)
    return torch.where(best > float("-inf"), index, -1).numpy()


def _without(scores: Tensor, histories: Sequence[IntArray]) -> Tensor:
    """Copy of scores (n, num_items) with -inf at each row's history."""
    kept = scores.clone()
    rows = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    items = np.concatenate([*histories, np.empty(0, np.int64)]).astype(np.int64)
    kept[torch.from_numpy(rows), torch.from_numpy(items)] = float("-inf")
    return kept
