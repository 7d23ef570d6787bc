"""What is a transformer layer over items? Pre-norm attention, causal for SASRec, both ways for BERT4Rec.

Legend: B sequences, L positions, d width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from genrec.backbones.config import TransformerConfig


class Layer(nn.Module):
    """Pre-norm transformer layer."""

    def __init__(self, config: TransformerConfig) -> None:
        """Make the projections."""
        super().__init__()
        width, inner = config.width, config.inner_width or 4 * config.width
        self.num_heads = config.num_heads
        self.attention_norm, self.inner_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden: Tensor, seen: Tensor | None = None) -> Tensor:
        """Map (B, L, d) to (B, L, d).

        Args:
            hidden: (B, L, d).
            seen: (B, L), True where a position may be attended to by all; None means causal attention: position t
                sees 0..t.
        """
        hidden = hidden + self.dropout(self.out(self._attend(self.attention_norm(hidden), seen)))
        return hidden + self.dropout(self.inner(self.inner_norm(hidden)))  # type: ignore[no-any-return]

    def _attend(self, normed: Tensor, seen: Tensor | None) -> Tensor:
        """Multi-head attention, (B, L, d) to (B, L, d)."""
        batch, length, width = normed.shape
        split = self.query_key_value(normed).view(batch, length, 3, self.num_heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # each (B, heads, L, d / heads)
        mask = None if seen is None else seen[:, None, None, :]
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=seen is None)
        return mixed.transpose(1, 2).reshape(batch, length, width)


def initialise(module: nn.Module) -> None:
    """Small normal weights, zero biases, a zero padding row."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx].zero_()
