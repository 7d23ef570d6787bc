"""Against which uses of the same descriptions must GRASP stand? RLMRec type and LLMInit, in the same loop.

LLM-ESR stands in `llm_esr.py`. Sources: RLMRec: Ren et al. 2024 (arXiv 2310.15950), contrastive variant; LLMInit: the
id embedding starts from the text embedding by PCA (Harte et al. 2023, arXiv 2309.12261). Where we differ: RLMRec was
made for graph models, here item vectors and sequence states are aligned.

Legend: B sequences, L positions, V items, d width, w text width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from genrec.backbones.sequence import SequenceModel
from genrec.backbones.transformer import initialise
from llmrec.enriched import EnrichedModel
from llmrec.grasp.features import TextFeatures, principal
from llmrec.grasp.losses import info_nce
from llmrec.grasp.text_items import check_features


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
