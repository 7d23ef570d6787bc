"""What does softmax over a whole catalogue cost? Cross-entropy that never holds more than a chunk of logits.

Legend: N positions, V items, d width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

CHUNK_CELLS = 1_000_000  # logits held at once: 4 MB in float32, about what a core caches


class _CatalogueCrossEntropy(torch.autograd.Function):
    """Loss and gradients, chunk by chunk in the forward pass: each logit is made once and thrown away."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, items: Tensor, targets: Tensor) -> Tensor:
        """Sum of -log softmax over N positions; see `catalogue_cross_entropy`."""
        grad_hidden, grad_items = torch.empty_like(hidden), torch.zeros_like(items)
        total = hidden.new_zeros((), dtype=torch.float32)
        rows = max(1, CHUNK_CELLS // len(items))
        for start in range(0, len(hidden), rows):
            part, wanted = hidden[start : start + rows], targets[start : start + rows, None]
            logits = part @ items.T
            top = logits.amax(1, keepdim=True)
            goal = logits.gather(1, wanted)
            logits.sub_(top).exp_()
            mass = logits.sum(1, keepdim=True)
            total += (mass.log() + top - goal).sum()
            logits.div_(mass)  # now softmax
            logits.scatter_add_(1, wanted, torch.full_like(goal, -1.0))  # now the gradient of the loss
            torch.mm(logits, items, out=grad_hidden[start : start + rows])
            grad_items.addmm_(logits.T, part)
        ctx.save_for_backward(grad_hidden, grad_items)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, Tensor, None]:
        """Scale the gradients that the forward pass left."""
        grad_hidden, grad_items = ctx.saved_tensors
        return grad_hidden * grads[0], grad_items * grads[0], None


def catalogue_cross_entropy(hidden: Tensor, items: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy of targets under softmax(hidden @ items.T).

    Args:
        hidden: (N, d) states.
        items: (V, d) item vectors.
        targets: (N,) item after each state.

    Returns:
        Scalar in nats; 0 when N = 0.

    Source: ours; equals `torch.nn.functional.cross_entropy(hidden @ items.T, targets)` in value and
    gradients.
    """
    total: Tensor = _CatalogueCrossEntropy.apply(hidden, items, targets)  # type: ignore[no-untyped-call]
    return total / max(1, len(hidden))
