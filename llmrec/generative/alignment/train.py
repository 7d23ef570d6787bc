"""How are the heads trained? Every training event is asked once per epoch, beside near items that were not chosen.

Legend: B events, M hard negatives, L history.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genrec.backbones.rank import evaluate_id_model
from genrec.backbones.retrieve import ExactRetriever
from genrec.data.split import Split
from genrec.fit.config import FitConfig
from genrec.fit.loop import FitResult, fit
from genrec.metrics.ranking import ranking_table
from llmrec.generative.alignment.heads import AlignmentHeads, left_padded
from llmrec.generative.alignment.losses import false_negative_mask

IntArray = NDArray[np.int64]
Event = tuple[int, int]


def nearest_items(texts: NDArray[np.float32], count: int) -> IntArray:
    """The items nearest to each item by cosine of texts, itself left out: (V, count), -1 where there are fewer."""
    norms = np.linalg.norm(texts, axis=1, keepdims=True)
    unit = np.divide(texts, norms, out=np.zeros_like(texts), where=norms > 0)
    retriever = ExactRetriever(unit)
    parts = []
    for start in range(0, len(unit), 1024):
        rows = unit[start : start + 1024]
        parts.append(retriever.search(rows, count, [[start + i] for i in range(len(rows))])[0])
    return np.concatenate(parts)


def popular_items(train: Sequence[IntArray], num_items: int, count: int, seed: int) -> IntArray:
    """Items drawn by how often they are chosen in training, for each item: (V, count), itself -1 where drawn."""
    counts = np.bincount(np.concatenate([*train, np.empty(0, np.int64)]).astype(np.int64), minlength=num_items)
    pool = np.random.default_rng(seed).choice(num_items, (num_items, count), p=counts / counts.sum())
    return np.where(pool == np.arange(num_items)[:, None], -1, pool)


class Events:
    """Training events and their batches.

    Args:
        train: training histories.
        near: (V, N) items per target, -1 padded, the pool of hard negatives; None leaves them out.
        max_history: L.
        num_hard: M.
        seed: of the draw of hard negatives, together with the batch.
    """

    def __init__(
        self, train: Sequence[IntArray], near: IntArray | None, max_history: int = 50, num_hard: int = 4, seed: int = 0
    ) -> None:
        self.train, self.near, self.max_history, self.num_hard, self.seed = train, near, max_history, num_hard, seed
        self.events: list[Event] = [(u, t) for u, items in enumerate(train) for t in range(1, len(items))]

    def collate(self, events: Sequence[Event]) -> dict[str, torch.Tensor]:
        """Histories (B, L), targets (B,), hard negatives (B, M) and false negatives (B, B)."""
        histories = [self.train[user][max(0, t - self.max_history) : t] for user, t in events]
        targets = torch.tensor([int(self.train[user][t]) for user, t in events])
        whole = left_padded([self.train[user] for user, _ in events])
        batch = {"histories": left_padded(histories), "targets": targets}
        batch["false_negatives"] = false_negative_mask(targets, whole)
        if self.near is not None and self.num_hard:
            pool = torch.from_numpy(self.near)[targets]
            batch["hard"] = drawn(
                pool, whole, self.num_hard, np.random.default_rng([self.seed, *events[0], len(events)])
            )
        return batch


def drawn(pool: torch.Tensor, chosen: torch.Tensor, count: int, rng: np.random.Generator) -> torch.Tensor:
    """Hard negatives: items of each pool that the user never chose in training.

    Args:
        pool: (B, N) near items, -1 padded.
        chosen: (B, L) items of each user, -1 padded.
        count: M.
        rng: draws among them.

    Returns:
        (B, M), -1 where there are fewer.
    """
    fits = (pool >= 0) & ~(pool[:, :, None] == chosen[:, None, :]).any(dim=2)
    keys = torch.from_numpy(rng.random(tuple(pool.shape))) + (~fits).double()
    order = keys.argsort(dim=1)[:, :count]
    return torch.where(fits.gather(1, order), pool.gather(1, order), -1)


def negative_pool(heads: AlignmentHeads, split: Split, count: int, seed: int) -> IntArray:
    """Where hard negatives come from: (V, count), -1 padded.

    The nearest texts; heads that learn from ids alone get popular items, else the ablation would still read the texts.
    """
    if heads.config.features == "id":
        return popular_items(split.train, heads.num_items, count, seed)
    return nearest_items(heads.texts.numpy(), count)


def train_heads(
    heads: AlignmentHeads,
    split: Split,
    config: FitConfig,
    *,
    num_hard: int = 4,
    max_history: int = 50,
    valid_users: int | None = None,
    folder: Path | None = None,
    progress: bool = False,
    accelerator: Any = None,
) -> FitResult:
    """Train both heads and leave them in their best state on validation NDCG@10.

    Args:
        heads: the heads.
        split: training and validation parts are used.
        config: options of the loop.
        num_hard: hard negatives per event; 0 = in-batch negatives only.
        max_history: latest items a user vector is made of.
        valid_users: size of the validation sample.
        folder: where the state is kept for resuming.
        progress: show a bar.
        accelerator: an `accelerate.Accelerator`, default a new one.

    Raises:
        ValueError: no training history has two items.
    """
    pool = negative_pool(heads, split, 4 * num_hard, config.seed) if num_hard else None
    events = Events(split.train, pool, max_history, num_hard, config.seed)
    valid = split.valid.sample(valid_users, config.seed)

    def validate() -> dict[str, float]:
        return ranking_table(evaluate_id_model(heads, valid), (5, 10))

    collate: Callable[[Sequence[Event]], dict[str, torch.Tensor]] = events.collate
    return fit(
        heads, events.events, collate, validate, config, folder=folder, progress=progress, accelerator=accelerator
    )
