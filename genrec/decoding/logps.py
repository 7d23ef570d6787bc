"""How probable was a constrained completion? Log-probabilities renormalised over the tokens that were
allowed.

Legend: B completions, C completion tokens, V vocabulary, M trie positions, A most tokens allowed at one of
them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genrec.decoding.constraint import AnswerConstraint, ConstraintMasks


def constrained_log_probs(
    logits: Tensor, completion_ids: Tensor, masks: ConstraintMasks, constraint: AnswerConstraint
) -> Tensor:
    """Log-probability of every token under the distribution it was sampled from.

    Free positions use the full softmax, trie positions the softmax over the children of their node, forced
    positions
    are exactly 0 without gradient. Divide the logits by the temperature before the call.

    Args:
        logits: (B, C, V) logits that predict each completion token.
        completion_ids: (B, C) the completions.
        masks: `constraint.masks(completion_ids)`.
        constraint: the constraint they were sampled under.

    Returns:
        (B, C) float32 log-probabilities, differentiable.

    Source: ours (METHODS 1.4): sampler and trainer must score under the same distribution.
    """
    chosen = logits.gather(-1, completion_ids[..., None])[..., 0].float()
    free = logits.float().logsumexp(-1)
    normaliser = free.masked_scatter(*_trie_normalisers(logits, masks, constraint))
    forced = torch.from_numpy(masks.forced).to(logits.device)
    return torch.where(forced, 0.0, chosen - normaliser)


def _trie_normalisers(logits: Tensor, masks: ConstraintMasks, constraint: AnswerConstraint) -> tuple[Tensor, Tensor]:
    """Positions (B, C) bool chosen from the trie, and log-sum-exp (M,) over what each allowed."""
    where = torch.from_numpy(masks.constrained).to(logits.device)
    tokens, real = constraint.allowed_tokens(masks.nodes[masks.constrained])
    index = torch.from_numpy(np.ascontiguousarray(tokens)).to(logits.device)
    allowed = logits[where].gather(-1, index).float()
    allowed = allowed.masked_fill(~torch.from_numpy(real).to(logits.device), float("-inf"))
    return where, allowed.logsumexp(-1)
