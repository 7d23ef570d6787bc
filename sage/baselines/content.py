"""How far do item contents get one, without a language model that writes? Two content-feature baselines.

`ContentSASRec` (ColdRec type) is a SASRec whose item vectors are projected text vectors: it scores items that training
never saw. Its softmax spans the known items only: a withheld item as negative would be trained on, and against itself.
`ContentNeighbours` (ZeroGen type) trains nothing: the items nearest to the history's mean text vector.
Source: METHODS 4 (baselines by type; the papers behind these names publish no code).
Legend: n histories, V items, d width, D width of text vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from genrec.backbones.sasrec import SASRec, SASRecConfig


class ContentSASRec(SASRec):
    """SASRec over projected text vectors instead of learnt item vectors.

    Args:
        vectors: (V, D) text vectors; fixed.
        config: shape.
        seed: of the initial weights.
        known: (V,) bool, True for items that training may see; None = all.

    Raises:
        ValueError: a mask of another size, or no known item.
    """

    name: ClassVar[str] = "content_sasrec"

    def __init__(
        self,
        vectors: NDArray[np.float32],
        config: SASRecConfig | None = None,
        seed: int = 0,
        known: NDArray[np.bool_] | None = None,
    ) -> None:
        super().__init__(len(vectors), config, seed)
        mask = np.ones(len(vectors), dtype=bool) if known is None else np.asarray(known, dtype=bool)
        if len(mask) != len(vectors) or not mask.any():
            raise ValueError(f"known has {len(mask)} entries, {mask.sum()} of them True, for {len(vectors)} items")
        table = F.normalize(torch.from_numpy(np.asarray(vectors, dtype=np.float32)), dim=1)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.project = nn.Sequential(
                nn.Linear(table.shape[1], self.config.width), nn.GELU(), nn.Linear(self.config.width, self.config.width)
            )
        self.register_buffer("texts", torch.cat([table, torch.zeros(1, table.shape[1])]), persistent=False)
        rows = np.where(mask, np.cumsum(mask) - 1, -1)
        self.register_buffer("known", torch.from_numpy(np.flatnonzero(mask)), persistent=False)
        self.register_buffer("row_of", torch.from_numpy(rows), persistent=False)
        self.items.weight.requires_grad_(False)  # only its rows' number is used

    def embed(self, inputs: Tensor) -> Tensor:
        """Vectors (B, L, d) of input ids (B, L)."""
        texts: Tensor = self.texts  # type: ignore[assignment]
        return self.project(texts[inputs])  # type: ignore[no-any-return]

    def item_table(self) -> Tensor:
        """Vectors (V, d) of all items, new ones included."""
        texts: Tensor = self.texts  # type: ignore[assignment]
        return self.project(texts[: self.num_items])  # type: ignore[no-any-return]

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Mean loss over the known items alone.

        Raises:
            ValueError: a target that training may not see.
        """
        inputs, targets = self.questions(batch)
        texts, known, row_of = self.texts, self.known, self.row_of
        rows = torch.where(targets >= 0, row_of[targets.clamp_min(0)], -1)  # type: ignore[index]
        if bool(((rows < 0) & (targets >= 0)).any()):
            raise ValueError("a training history holds an item that is not known; cut histories by the cold split")
        return self.answer_loss(self(inputs), rows, self.project(texts[known]))  # type: ignore[index]


class ContentNeighbours:
    """Cosine between an item and the weighted mean of the history's text vectors.

    Args:
        vectors: (V, D) text vectors.
        decay: weight of an item relative to the one after it, in (0, 1].

    Raises:
        ValueError: a decay out of range.
    """

    def __init__(self, vectors: NDArray[np.float32], decay: float = 0.8) -> None:
        if not 0 < decay <= 1:
            raise ValueError(f"decay must be in (0, 1], got {decay}")
        self.unit = F.normalize(torch.from_numpy(np.asarray(vectors, dtype=np.float32)), dim=1)
        self.decay = decay

    @property
    def num_items(self) -> int:
        """V."""
        return len(self.unit)

    def score_histories(self, histories: Sequence[NDArray[np.int64]]) -> Tensor:
        """Cosines (n, V); an empty history scores 0 everywhere."""
        users = torch.zeros(len(histories), self.unit.shape[1])
        for row, history in enumerate(histories):
            if len(history):
                ages = torch.arange(len(history) - 1, -1, -1)
                users[row] = (self.decay**ages) @ self.unit[torch.from_numpy(np.asarray(history))]
        return F.normalize(users, dim=1) @ self.unit.T
