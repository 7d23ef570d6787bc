"""How do descriptions make a sequence model better without teaching it their errors? GRASP around any backbone.

Source: METHODS 2 (arXiv 2511.20177). Text is input, never supervision: the only loss is the backbone's own. An item's
vector is its id embedding plus an MLP of its text and of the items like it, and the same vector is read and scored.

The user's description rests on the training history, so in training it has seen what is asked for; `user_dropout`
hides it for a share of the sequences, which also teaches the model what to do with a user it does not know.
`branch_dropout` (ours; stochastic depth, Huang et al. 2016) leaves the attention out for a share of the sequences: with
it in every sequence the model reads popular items better and the rare ones worse than the plain backbone.

Legend: B sequences, L positions, V items, d width, w text width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from genrec.backbones.sequence import SequenceModel
from llmrec.grasp.features import TextFeatures
from llmrec.grasp.holistic import HolisticAttention, HolisticConfig, visible
from llmrec.grasp.text_items import TextItems


class Grasp(TextItems):
    """A backbone that reads descriptions.

    Args:
        backbone: SASRec, GRU4Rec or BERT4Rec, unchanged.
        features: frozen text features of the same items and users.
        config: ablation switches.
        user_dropout: share of training sequences whose user is hidden, in [0, 1].
        branch_dropout: share of training sequences that the attention leaves as they are, in [0, 1).
        seed: of the weights.

    Raises:
        ValueError: features of another catalogue, or a share outside of its range.
    """

    name: ClassVar[str] = "grasp"

    def __init__(
        self,
        backbone: SequenceModel,
        features: TextFeatures,
        config: HolisticConfig | None = None,
        user_dropout: float = 0.5,
        branch_dropout: float = 0.5,
        seed: int = 0,
    ) -> None:
        """Make the weights around the backbone."""
        self.holistic = config or HolisticConfig()
        super().__init__(backbone, features, self.holistic.similar, seed)
        self._parts: Tensor | None = None  # of all items, kept in evaluation mode
        self._people: Tensor | None = None  # of all users, and one who is not known
        if not (0.0 <= user_dropout <= 1.0 and 0.0 <= branch_dropout < 1.0):
            raise ValueError(
                f"user_dropout must be in [0, 1] and branch_dropout in [0, 1), got {user_dropout} and {branch_dropout}"
            )
        self.user_dropout, self.branch_dropout = user_dropout, branch_dropout
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.mix = HolisticAttention(backbone.config.width, features.width, self.holistic, backbone.config.dropout)

    def settings(self) -> dict[str, Any]:
        """Backbone, switches and text width."""
        shares = {"user_dropout": self.user_dropout, "branch_dropout": self.branch_dropout}
        return {**super().settings(), **vars(self.holistic), **shares, "text_width": self.features.width}

    def states(self, inputs: Tensor, users: Tensor, table: Tensor) -> Tensor:
        """States (B, L, d) after the holistic attention."""
        if self.training and self.user_dropout:
            users = users.masked_fill(_drawn(self.user_dropout, users), -1)
        parts = self.item_parts(inputs, table)
        mixed = self.mix(parts, *self.read(inputs, users, table))
        if self.training and self.branch_dropout:
            mixed = torch.where(_drawn(self.branch_dropout, users)[:, None, None], parts[0], mixed)
        return self.backbone.contextualise(mixed, inputs)

    def item_parts(self, inputs: Tensor, table: Tensor) -> Sequence[Tensor]:
        """`HolisticAttention.parts` of inputs (B, L): computed in training, looked up in a kept table when judging."""
        if self.training or table is not self._table or self._read is None:
            return self._compute_parts(inputs, table)
        if self._parts is None:
            everything = torch.arange(len(self._read), device=table.device)
            self._parts = torch.cat(self._compute_parts(everything, table), dim=-1)
        return F.embedding(inputs, self._parts).split(table.shape[1], dim=-1)

    def _compute_parts(self, inputs: Tensor, table: Tensor) -> list[Tensor]:
        """The parts of inputs of any shape."""
        texts = "similar_items" if self.holistic.similar else "items"
        return self.mix.parts(self.embed(inputs, table), self.features.rows(texts, inputs))

    def forget(self) -> None:
        """Drop the kept tables: the weights have changed."""
        self._parts = self._people = None
        super().forget()

    def read(self, inputs: Tensor, users: Tensor, table: Tensor) -> tuple[Sequence[Tensor], Tensor, Tensor]:
        """`HolisticAttention.person` of users (B,), who is known, and what positions of inputs (B, L) may see."""
        count = self.features.counts[1]
        known = (users >= 0) & (users < count)
        seen = visible(inputs, self.num_items, self.backbone.causal)
        if self.training or table is not self._table:
            return self._compute_people(users.clamp(0, count - 1), known), known, seen
        if self._people is None:
            everybody = torch.arange(count + 1, device=users.device)  # the last one stands for all who are not known
            self._people = torch.cat(self._compute_people(everybody.clamp_max(count - 1), everybody < count), dim=-1)
        rows = F.embedding(torch.where(known, users, count), self._people)
        return rows.split(self.backbone.config.width, dim=-1), known, seen

    def _compute_people(self, rows: Tensor, known: Tensor) -> list[Tensor]:
        """What users give; of one that is not known nothing is read but `known`."""
        names = ("users", "similar_users" if self.holistic.similar else "users")
        texts, similar = (F.embedding(rows, self.features.table(name, rows.device)) for name in names)
        return self.mix.person(texts, similar, known)

    @torch.no_grad()
    def global_weights(self, users: NDArray[np.int64], histories: list[NDArray[np.int64]]) -> list[NDArray[np.float32]]:
        """Global attention of each user's last position over the items of the history, one array per user.

        Raises:
            ValueError: a model without global attention.
        """
        if not self.holistic.global_features:
            raise ValueError("this model has no global attention (global_features is false)")
        self._judge()
        inputs, last = self.backbone.prepare(histories)
        asked = torch.as_tensor(users, device=inputs.device)
        table = self.scoring_table()
        weights, _ = self.mix.global_attention(self.item_parts(inputs, table), *self.read(inputs, asked, table))
        rows = weights[torch.arange(len(last), device=last.device), last, 1:].cpu().numpy()
        kept = [min(len(history), self.backbone.config.max_history) for history in histories]
        return [row[:count] for row, count in zip(rows, kept, strict=True)]


def _drawn(share: float, users: Tensor) -> Tensor:
    """A draw for each sequence, (B,): True for about `share` of them."""
    return torch.rand(len(users), device=users.device) < share
