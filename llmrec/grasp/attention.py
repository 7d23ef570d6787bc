"""How much does each text feature count, when none of them may count? Sigmoid attention, which need not sum to one.

Softmax hands out a whole unit of attention even where every description is wrong; sigmoid weights can all be small, so
a bad description is ignored. Source: METHODS 2 (arXiv 2511.20177).

Legend: B sequences, Q queries, K keys, d width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sigmoid_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | float | None = None,
    mask: Tensor | None = None,
    *,
    softmax: bool = False,
) -> Tensor:
    """`sigmoid(Q K^T / sqrt(d) + b) V`.

    Args:
        query: (B, Q, d).
        key: (B, K, d).
        value: (B, K, v).
        bias: number, or anything that broadcasts to (B, Q, K); None takes `-log n`, with n the keys that the query may
            see: at scores of 0 the weights then sum to about one whatever n is (exactly `n / (n + 1)`).
        mask: (B, Q, K) or broadcastable, True where the query may see the key; None means everywhere. With one query
            and a mask of several rows, each row is answered for the same query.
        softmax: normalise the weights instead (ablation); the bias of None is then 0.

    Returns:
        (B, Q, v); zero for a query that may see no key.

    Raises:
        ValueError: widths or counts that do not match.

    Source: METHODS 2; the start `b = -log n` is ours, as in Ramapuram et al. 2024 (arXiv 2409.04431).
    """
    _check(query, key, value)
    weights = attention_weights(query, key, bias, mask, softmax=softmax)
    return weights @ value


def attention_weights(
    query: Tensor,
    key: Tensor,
    bias: Tensor | float | None = None,
    mask: Tensor | None = None,
    *,
    softmax: bool = False,
) -> Tensor:
    """Weights (B, Q, K) of `sigmoid_attention`, zero where the mask is False; see there for the arguments."""
    scores = (query / math.sqrt(query.shape[-1])) @ key.transpose(-1, -2)
    seen = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask
    scores, seen = torch.broadcast_tensors(scores, seen)  # one query may stand for all rows of the mask
    if bias is None:
        bias = 0.0 if softmax else -seen.sum(-1, keepdim=True).clamp_min(1).to(scores.dtype).log()
    scores = scores + bias
    if not softmax:
        return torch.where(seen, torch.sigmoid(scores), 0.0)
    lowest = torch.finfo(scores.dtype).min  # not -inf: a row without keys would be NaN
    return scores.masked_fill(~seen, lowest).softmax(-1).masked_fill(~seen, 0.0)


def _check(query: Tensor, key: Tensor, value: Tensor) -> None:
    """Shapes that fit."""
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ValueError(
            "query and key need one width, key and value one count, got query "
            f"{tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}"
        )
