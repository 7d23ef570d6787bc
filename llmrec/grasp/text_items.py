"""What is an item, when its text is known? Its id embedding plus an MLP of its text and of the items like it.

The part of GRASP that stands outside of its attention, and a baseline of its own: what of a gain is the text's alone?
The MLP has no dropout: the same vectors are read and scored, so that noise in them is noise in every score (measured
on Beauty, docs/experiments.md).

Legend: V items, d width, w text width.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from genrec.backbones.sequence import SequenceModel
from genrec.backbones.transformer import initialise
from llmrec.enriched import EnrichedModel
from llmrec.grasp.features import TextFeatures


class TextItems(EnrichedModel):
    """A backbone whose item vectors know their texts.

    Args:
        backbone: SASRec, GRU4Rec or BERT4Rec, unchanged.
        features: frozen text features of the same items.
        similar: read the items like it too.
        seed: of the MLP's weights.

    Raises:
        ValueError: features of another catalogue.
    """

    name: ClassVar[str] = "text_items"

    def __init__(self, backbone: SequenceModel, features: TextFeatures, similar: bool = True, seed: int = 0) -> None:
        """Make the MLP."""
        super().__init__(backbone)
        check_features(features, backbone.num_items)
        self.features = features
        self.read_texts = ("items", "similar_items") if similar else ("items",)
        width = backbone.config.width
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.item_adapter = nn.Sequential(
                nn.Linear(features.width * len(self.read_texts), width), nn.GELU(), nn.Linear(width, width)
            )
            self.item_adapter.apply(initialise)

    def item_table(self) -> Tensor:
        """Id embedding plus text, (V, d)."""
        own = self.backbone.item_table()
        texts = [self.features.table(name, own.device) for name in self.read_texts]
        return own + self.item_adapter(torch.cat(texts, dim=1))


def check_features(features: TextFeatures, num_items: int) -> None:
    """Refuse features of another catalogue."""
    if features.counts[0] != num_items:
        raise ValueError(
            f"the text features are of {features.counts[0]} items, the catalogue has {num_items}; "
            "run recipes/grasp_refresh.py on this dataset, or name another store"
        )
