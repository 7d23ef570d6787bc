"""How are K items of its own scored for each position, without holding N x K item vectors? Chunk by chunk.

Legend: N positions, K items each, V items, d width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHUNK_CELLS = 4_000_000  # item-vector entries gathered at once: 16 MB in float32


class _GatheredScores(torch.autograd.Function):
    """Scores and their gradients; item vectors are gathered anew in the backward pass instead of kept."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, items: Tensor, drawn: Tensor) -> Tensor:
        """Scores (N, K); see `gathered_scores`."""
        ctx.save_for_backward(hidden, items, drawn)
        scores = hidden.new_empty(drawn.shape)
        for part in _chunks(drawn, items):
            torch.bmm(items[drawn[part]].to(hidden.dtype), hidden[part, :, None], out=scores[part, :, None])
        return scores

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, Tensor, None]:
        """Gradients of states and item vectors."""
        hidden, items, drawn = ctx.saved_tensors
        grad_hidden, grad_items = torch.empty_like(hidden), torch.zeros_like(items)
        for part in _chunks(drawn, items):
            weight = grads[0][part]
            grad_hidden[part] = torch.einsum("nk,nkd->nd", weight, items[drawn[part]].to(weight.dtype))
            shares = (weight[:, :, None] * hidden[part, None, :]).reshape(-1, items.shape[1])
            grad_items.index_add_(0, drawn[part].reshape(-1), shares.to(items.dtype))
        return grad_hidden, grad_items, None


def gathered_scores(hidden: Tensor, items: Tensor, drawn: Tensor) -> Tensor:
    """Inner product of each state with its own items.

    Args:
        hidden: (N, d) states.
        items: (V, d) item vectors.
        drawn: (N, K) items of each state.

    Returns:
        (N, K) scores.

    Source: ours; equals `einsum("nd,nkd->nk", hidden, items[drawn])` in value and gradients, without the N x K x d
    tensor that it keeps for the backward pass.
    """
    scores: Tensor = _GatheredScores.apply(hidden, items, drawn)  # type: ignore[no-untyped-call]
    return scores


def _chunks(drawn: Tensor, items: Tensor) -> list[slice]:
    """Slices of positions whose gathered vectors stay below CHUNK_CELLS entries."""
    rows = max(1, CHUNK_CELLS // max(1, drawn.shape[1] * items.shape[1]))
    return [slice(start, start + rows) for start in range(0, len(drawn), rows)]
