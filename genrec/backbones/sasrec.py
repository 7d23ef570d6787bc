"""Which item follows a history, by ids alone? SASRec: a causal transformer with full-catalogue cross-entropy.

Source: Kang and McAuley 2018 (arXiv 1808.09781). Where we differ: softmax cross-entropy over all items at every
position instead of one sampled negative (Klenitskiy and Vasilev 2023, arXiv 2309.07602: the stronger baseline; the
paper's loss is `loss: bce`), GELU with a wider inner layer, and right padding (causal attention never sees it, so no
mask is needed).

Legend: B sequences, L longest of the batch, d width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from genrec.backbones.config import TransformerConfig
from genrec.backbones.sequence import SequenceModel
from genrec.backbones.transformer import Layer, initialise


@dataclass
class SASRecConfig(TransformerConfig):
    """Shape of a SASRec."""


class SASRec(SequenceModel):
    """Causal transformer over item ids with tied input and output vectors.

    Args:
        num_items: catalogue size.
        config: shape.
        seed: seed of the initial weights.
    """

    name: ClassVar[str] = "sasrec"
    config_type = SASRecConfig

    def __init__(self, num_items: int, config: SASRecConfig | None = None, seed: int = 0) -> None:
        """Make and initialise the weights."""
        super().__init__(num_items, config or SASRecConfig())
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.items = nn.Embedding(num_items + 1, self.config.width, padding_idx=num_items)
            self.positions = nn.Embedding(self.config.max_history, self.config.width)
            self.layers = nn.ModuleList(Layer(self.config) for _ in range(self.config.num_layers))
            self.norm, self.dropout = nn.LayerNorm(self.config.width), nn.Dropout(self.config.dropout)
            self.apply(initialise)

    def contextualise(self, embedded: Tensor, inputs: Tensor) -> Tensor:
        """States (B, L, d); position t sees positions 0..t."""
        positions = torch.arange(inputs.shape[1], device=inputs.device)
        hidden = self.dropout(embedded * self.config.width**0.5 + self.positions(positions))
        for layer in self.layers:
            hidden = layer(hidden)
        return self.norm(hidden)  # type: ignore[no-any-return]
