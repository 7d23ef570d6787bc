"""What do graph neighbours alone say? LightGCN with BPR on training edges, the baseline of LLMRec.

Legend: U users, V items, d width, E edges.
Source: He et al. 2020 (arXiv 2002.02126). Where we differ: one batch per step holds sampled edges with one uniform
negative each; the graph holds training edges only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

IntArray = NDArray[np.int64]


class LightGCN(nn.Module):
    """Averaged neighbourhood vectors of users and items.

    Args:
        train: training histories, user by user.
        num_items: V.
        width: d.
        layers: rounds of averaging.
        decay: weight of the squared start vectors of a batch.
        seed: of the start vectors and of negatives.
    """

    def __init__(
        self, train: Sequence[IntArray], num_items: int, width: int = 64, layers: int = 2, decay: float = 1e-4,
        seed: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self._num_items, self.layers, self.decay = num_items, layers, decay
        self.num_users = len(train)
        users = np.repeat(np.arange(len(train)), [len(h) for h in train])
        items = np.concatenate([*train, np.empty(0, np.int64)]).astype(np.int64)
        self.edges = np.unique(np.stack([users, items], axis=1), axis=0)
        self.graph = normalised_graph(self.edges, self.num_users, num_items)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.start = nn.Embedding(self.num_users + num_items, width)
        nn.init.normal_(self.start.weight, std=0.1, generator=torch.Generator().manual_seed(seed))

    @property
    def num_items(self) -> int:
        """V."""
        return self._num_items

    def propagate(self) -> tuple[Tensor, Tensor]:
        """Users (U, d) and items (V, d): the mean over layers."""
        layer = self.start.weight
        total = layer
        for _ in range(self.layers):
            layer = torch.sparse.mm(self.graph, layer)
            total = total + layer
        users, items = (total / (self.layers + 1)).split([self.num_users, self.num_items])
        return users, items

    def loss(self, batch: Tensor) -> Tensor:
        """BPR of edges (B, 3): user, item, negative."""
        users, items = self.propagate()
        u, i, j = batch.unbind(1)
        gap = (users[u] * items[i]).sum(1) - (users[u] * items[j]).sum(1)
        return bpr(gap) + self.decay * self.start.weight[torch.cat([u, i + self.num_users])].square().sum(1).mean()

    def collate(self, edges: Sequence[int]) -> Tensor:
        """Edges by number -> (B, 3) with a uniform negative that the loop's seed decides."""
        chosen = torch.from_numpy(self.edges[list(edges)])
        return torch.cat([chosen, torch.randint(0, self.num_items, (len(edges), 1))], dim=1)

    @torch.no_grad()
    def score_users(self, users: IntArray, histories: Sequence[IntArray]) -> Tensor:
        """Scores (n, V) of users, -1 for an unknown one, who scores by the mean of the history's item vectors."""
        self.eval()
        own, items = self.propagate()
        rows = torch.stack(
            [own[u] if u >= 0 else _mean(items, history) for u, history in zip(users, histories, strict=True)]
        )
        return rows @ items.T

    def score_histories(self, histories: Sequence[IntArray]) -> Tensor:
        """Scores (n, V) by history alone."""
        return self.score_users(np.full(len(histories), -1), histories)


def bpr(gap: Tensor) -> Tensor:
    """Mean of -log sigmoid(score of the chosen - score of the negative), gap (B,)."""
    return F.softplus(-gap).mean()


def normalised_graph(edges: IntArray, num_users: int, num_items: int) -> Tensor:
    """Sparse (U + V, U + V) adjacency, both ways, divided by the square roots of both degrees.

    Args:
        edges: (E, 2) distinct (user, item) pairs.
        num_users: U.
        num_items: V.
    """
    rows = np.concatenate([edges[:, 0], edges[:, 1] + num_users])
    columns = np.concatenate([edges[:, 1] + num_users, edges[:, 0]])
    degree = np.bincount(rows, minlength=num_users + num_items).astype(np.float32)
    values = 1.0 / np.sqrt(degree[rows] * degree[columns])
    index = torch.from_numpy(np.stack([rows, columns]))
    size = num_users + num_items
    return torch.sparse_coo_tensor(index, torch.from_numpy(values), (size, size)).coalesce()


def _mean(items: Tensor, history: IntArray) -> Tensor:
    return items[torch.from_numpy(history)].mean(0) if len(history) else torch.zeros(items.shape[1])
