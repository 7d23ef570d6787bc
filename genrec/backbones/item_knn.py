"""How far does "bought together" get one? Item-to-item nearest neighbours by cosine, no training at all.

Source: Sarwar et al. 2001 (WWW) and Deshpande and Karypis 2004 (ACM TOIS 22). Where we differ: later items of the
history count more (`decay` per step back; 1 gives the papers' unweighted sum), and rare pairs are shrunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class ItemKNN:
    """Scores an item by its similarity to the items of the history.

    Args:
        histories: training histories, dense items per user.
        num_items: catalogue size V.
        neighbours: most similar items kept per item.
        shrink: added to the denominator of the cosine, so that pairs seen once do not come first.
        decay: weight of an item relative to the one after it, in (0, 1].

    Raises:
        ValueError: an option out of range.
    """

    def __init__(
        self,
        histories: Sequence[NDArray[np.int64]],
        num_items: int,
        neighbours: int = 100,
        shrink: float = 10.0,
        decay: float = 0.8,
    ) -> None:
        """Count pairs and keep each item's nearest."""
        if neighbours < 1 or shrink < 0 or not 0.0 < decay <= 1.0:
            raise ValueError(
                "neighbours must be at least 1, shrink not negative and decay in (0, 1], got "
                f"{neighbours}, {shrink}, {decay}"
            )
        self._num_items, self.decay = num_items, decay
        self.similarity = _nearest(_cosine(histories, num_items, shrink), neighbours)

    @property
    def num_items(self) -> int:
        """Catalogue size."""
        return self._num_items

    def score_histories(self, histories: Sequence[NDArray[np.int64]]) -> Tensor:
        """Weighted sums of similarities, (n, num_items); an empty history scores 0 everywhere."""
        from scipy import sparse

        rows = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
        items = np.concatenate([*histories, np.empty(0, np.int64)]).astype(np.int64)
        ages = np.concatenate([*(np.arange(len(h))[::-1] for h in histories), np.empty(0, np.int64)])
        profile = sparse.csr_matrix((self.decay**ages, (rows, items)), shape=(len(histories), self.num_items))
        return torch.from_numpy((profile @ self.similarity).toarray().astype(np.float32))


def _cosine(histories: Sequence[NDArray[np.int64]], num_items: int, shrink: float) -> Any:
    """Sparse (V, V) `common / (sqrt(n_i n_j) + shrink)` over distinct users, zero on the diagonal."""
    from scipy import sparse

    users = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    items = np.concatenate([*histories, np.empty(0, np.int64)]).astype(np.int64)
    seen = sparse.csr_matrix((np.ones(len(items)), (users, items)), shape=(len(histories), num_items))
    seen.data[:] = 1.0  # a repeated purchase counts once
    common = (seen.T @ seen).tocoo()
    counts = np.asarray(seen.sum(axis=0)).ravel()
    values = common.data / (np.sqrt(counts[common.row] * counts[common.col]) + shrink)
    values[common.row == common.col] = 0.0
    found = sparse.csr_matrix((values, (common.row, common.col)), shape=common.shape)
    found.eliminate_zeros()
    return found


def _nearest(similarity: Any, neighbours: int) -> Any:
    """Sparse matrix with each row's largest values only; equal values keep the lower item."""
    from scipy import sparse

    similarity.sort_indices()
    kept = []
    for start, end in zip(similarity.indptr[:-1], similarity.indptr[1:], strict=True):
        kept.append(start + np.argsort(-similarity.data[start:end], kind="stable")[:neighbours])
    places = np.concatenate([*kept, np.empty(0, np.int64)]).astype(np.int64)
    edges = np.concatenate([[0], np.cumsum([len(row) for row in kept])])
    cells = (similarity.data[places], similarity.indices[places], edges)
    return sparse.csr_matrix(cells, shape=similarity.shape)
