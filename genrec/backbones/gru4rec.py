"""Which item follows a history, by ids alone? GRU4Rec: a recurrent network over the items.

Source: Hidasi et al. 2016 (arXiv 1511.06939). Where we differ: whole windows of a user's history instead of
session-parallel mini-batches, one loss per position, cross-entropy over the catalogue (the authors' later choice too,
arXiv 1706.03847) instead of BPR or TOP1, tied input and output vectors, AdamW.

Legend: B sequences, L longest of the batch, d width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from genrec.backbones.config import SequenceConfig
from genrec.backbones.sequence import SequenceModel
from genrec.backbones.transformer import initialise


@dataclass
class GRU4RecConfig(SequenceConfig):
    """Shape of a GRU4Rec.

    Attributes:
        hidden_width: width of the recurrent state, 0 for 2 * width.
        num_layers: recurrent layers.
    """

    hidden_width: int = 0
    num_layers: int = 1

    def __post_init__(self) -> None:
        """Refuse shapes that cannot work."""
        super().__post_init__()
        if self.num_layers < 1 or self.hidden_width < 0:
            raise ValueError(
                "num_layers must be at least 1 and hidden_width not negative, got "
                f"num_layers={self.num_layers}, hidden_width={self.hidden_width}"
            )


class GRU4Rec(SequenceModel):
    """Gated recurrent network over item ids with tied input and output vectors.

    Args:
        num_items: catalogue size.
        config: shape.
        seed: seed of the initial weights.
    """

    name: ClassVar[str] = "gru4rec"
    config_type = GRU4RecConfig

    def __init__(self, num_items: int, config: GRU4RecConfig | None = None, seed: int = 0) -> None:
        """Make and initialise the weights; the recurrence keeps torch's own start."""
        super().__init__(num_items, config or GRU4RecConfig())
        width, hidden = self.config.width, self.config.hidden_width or 2 * self.config.width
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.items = nn.Embedding(num_items + 1, width, padding_idx=num_items)
            self.gru = nn.GRU(width, hidden, self.config.num_layers, batch_first=True)
            self.out, self.norm = nn.Linear(hidden, width), nn.LayerNorm(width)
            self.dropout = nn.Dropout(self.config.dropout)
            self.apply(initialise)

    def contextualise(self, embedded: Tensor, inputs: Tensor) -> Tensor:
        """States (B, L, d); position t has read positions 0..t, so padding on the right is never read."""
        hidden, _ = self.gru(self.dropout(embedded * self.config.width**0.5))
        return self.norm(self.out(self.dropout(hidden)))  # type: ignore[no-any-return]
