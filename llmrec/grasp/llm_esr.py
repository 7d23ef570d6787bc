"""What if similar users teach, and text is a second view? LLM-ESR around any backbone, in the same loop.

Source: Liu et al. 2024 (arXiv 2405.20646). Where we differ: the teacher is one similar user drawn anew at each step,
whose expected gradient is that of their mean; it is read without gradient and in the same mode as the pupil.

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
from llmrec.grasp.baselines import last_states, start_from_text
from llmrec.grasp.features import TextFeatures
from llmrec.grasp.holistic import visible
from llmrec.grasp.losses import distance


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
