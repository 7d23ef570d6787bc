"""Against which uses of the same descriptions must GRASP stand? RLMRec-type, LLMInit and LLM-ESR, in the same loop.

Sources: RLMRec: Ren et al. 2024 (arXiv 2310.15950), contrastive variant; LLMInit: the id embedding starts from the text
embedding by PCA (Harte et al. 2023, arXiv 2309.12261); LLM-ESR: Liu et al. 2024 (arXiv 2405.20646). Where we differ:
RLMRec was made for graph models, here item vectors and sequence states are aligned; LLM-ESR's teacher is one similar
user drawn anew at each step, whose expected gradient is that of their mean, without gradient and in the same mode.

Legend: B sequences, L positions, V items, d width, w text width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from genrec.backbones.sequence import SequenceModel
from genrec.backbones.transformer import initialise
from genrec.fit.sequences import Batch, IntArray, pad_right
from llmrec.enriched import EnrichedModel, UserWindow
from llmrec.grasp.attention import sigmoid_attention
from llmrec.grasp.features import TextFeatures, principal
from llmrec.grasp.holistic import visible
from llmrec.grasp.losses import distance, info_nce
from llmrec.grasp.model import check_features


def start_from_text(backbone: SequenceModel, features: TextFeatures, std: float = 0.02) -> None:
    """Let the id embeddings start from the first d principal components of the item texts, scaled to a spread of std.

    Raises:
        ValueError: features of another catalogue.
    """
    check_features(features, backbone.num_items)
    table = torch.from_numpy(principal(features.tables["items"].numpy(), backbone.config.width))
    table = table * (std / float(table.std().clamp_min(1e-9)))
    with torch.no_grad():
        backbone.items.weight[: backbone.num_items, : table.shape[1]] = table


def last_states(states: Tensor, inputs: Tensor, pad: int) -> Tensor:
    """State (B, d) at the last position of each row that is not padding."""
    last = (inputs != pad).sum(1).clamp_min(1) - 1
    return states[torch.arange(len(last), device=last.device), last]


class LLMInit(EnrichedModel):
    """The plain backbone, started from text.

    Args:
        backbone: fresh backbone; its id embeddings are overwritten.
        features: text features.
    """

    name: ClassVar[str] = "llminit"

    def __init__(self, backbone: SequenceModel, features: TextFeatures) -> None:
        """Start from text."""
        super().__init__(backbone)
        start_from_text(backbone, features)


class RLMRec(EnrichedModel):
    """The plain backbone, with item vectors and states aligned to their descriptions by contrast.

    Args:
        backbone: fresh backbone.
        features: text features.
        weight: of the alignment in the loss.
        temperature: of the contrast.
        seed: of the projections.
    """

    name: ClassVar[str] = "rlmrec"

    def __init__(
        self,
        backbone: SequenceModel,
        features: TextFeatures,
        weight: float = 0.1,
        temperature: float = 0.2,
        seed: int = 0,
    ) -> None:
        """Make the projections into text space."""
        super().__init__(backbone)
        check_features(features, backbone.num_items)
        self.features, self.weight, self.temperature = features, weight, temperature
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.to_item, self.to_user = (nn.Linear(backbone.config.width, features.width) for _ in range(2))
            self.to_item.apply(initialise)
            self.to_user.apply(initialise)

    def settings(self) -> dict[str, Any]:
        """Backbone, weight and temperature."""
        return {**super().settings(), "aux_weight": self.weight, "temperature": self.temperature}

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Next-item loss plus both contrasts."""
        inputs, targets = self.backbone.questions(batch)
        table, users = self.item_table(), batch["users"]
        states = self.states(inputs, users, table)
        out = self.backbone.answer_loss(states, targets, table)
        items = targets[targets >= 0].unique()
        aligned = info_nce(self.to_item(table[items]), self.features.rows("items", items), self.temperature)
        people = self.to_user(last_states(states, inputs, self.num_items))
        same = users[:, None] == users[None, :]
        aligned = aligned + info_nce(people, self.features.rows("users", users), self.temperature, same)
        return {"loss": out["loss"] + self.weight * aligned, "weight": out["weight"]}


class LLMESR(EnrichedModel):
    """Two views of a sequence, id and frozen text, that attend to each other; similar users teach.

    Args:
        backbone: fresh backbone, shared by both views; its id embeddings start from text.
        features: text features and similar users.
        histories: training histories, from which the teachers are read.
        weight: of the self-distillation in the loss.
        seed: of the weights.
    """

    name: ClassVar[str] = "llm_esr"

    def __init__(
        self,
        backbone: SequenceModel,
        features: TextFeatures,
        histories: Sequence[IntArray],
        weight: float = 0.1,
        seed: int = 0,
    ) -> None:
        """Make adapter and cross-attention."""
        super().__init__(backbone)
        start_from_text(backbone, features)
        self.features, self.histories, self.weight = features, list(histories), weight
        width, inner = backbone.config.width, max(backbone.config.width, features.width // 2)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.adapter = nn.Sequential(nn.Linear(features.width, inner), nn.Linear(inner, width))
            self.crosses = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(2))
            self.adapter.apply(initialise)
            self.crosses.apply(initialise)

    def settings(self) -> dict[str, Any]:
        """Backbone and weight."""
        return {**super().settings(), "aux_weight": self.weight}

    def collator(self) -> Callable[[Sequence[UserWindow]], Batch]:
        """Function from windows to the batch and, as `teachers` (B, L), the history of one similar user each."""
        inner, recent = super().collator(), self.backbone.config.max_history

        def collate(windows: Sequence[UserWindow]) -> Batch:
            users = torch.tensor([window.user for window in windows])
            listed = self.features.neighbours[users]
            drawn = (torch.rand(len(users)) * (listed >= 0).sum(1)).long()
            teachers = torch.where((listed >= 0).any(1), listed.gather(1, drawn[:, None])[:, 0], users)
            read = [self.histories[int(teacher)][-recent:] for teacher in teachers]
            return {**inner(windows), "teachers": pad_right(read, self.num_items)}

        return collate

    def item_table(self) -> Tensor:
        """Id and text vectors side by side, (V, 2d)."""
        own = self.backbone.item_table()
        return torch.cat([own, self.adapter(self.features.table("items", own.device))], dim=1)

    def states(self, inputs: Tensor, users: Tensor, table: Tensor) -> Tensor:
        """States (B, L, 2d): both views after cross-attention, through the shared backbone."""
        views = [self.embed(inputs, part) for part in table.chunk(2, dim=1)]
        mask = visible(inputs, self.num_items, self.backbone.causal)
        mixed = [
            own + self._cross(cross, own, other, mask)
            for cross, own, other in zip(self.crosses, views, reversed(views), strict=True)
        ]
        return torch.cat([self.backbone.contextualise(view, inputs) for view in mixed], dim=-1)

    def _cross(self, projections: nn.Module, own: Tensor, other: Tensor, mask: Tensor) -> Tensor:
        """The other view attended to with this view's queries, (B, L, d)."""
        assert isinstance(projections, nn.Linear)
        weights = zip(projections.weight.chunk(3), projections.bias.chunk(3), strict=True)
        query, key, value = (
            torch.nn.functional.linear(view, *pair) for view, pair in zip((own, other, other), weights, strict=True)
        )
        return sigmoid_attention(query, key, value, mask=mask, softmax=True)

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Next-item loss plus the distance to a similar user's state."""
        inputs, targets = self.backbone.questions(batch)
        table, users = self.item_table(), batch["users"]
        states = self.states(inputs, users, table)
        out = self.backbone.answer_loss(states, targets, table)
        with torch.no_grad():
            taught = last_states(self.states(batch["teachers"], users, table), batch["teachers"], self.num_items)
        pulled = distance(last_states(states, inputs, self.num_items), taught)
        return {"loss": out["loss"] + self.weight * pulled, "weight": out["weight"]}
