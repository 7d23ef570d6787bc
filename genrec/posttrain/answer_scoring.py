"""How is a constrained answer scored? Under the distribution that it was sampled from.

TRL scores completions under the unconstrained softmax, inside a fused output head that never shows logits.
The patch sits on the model itself, so that policy, old policy and reference, chunks, DDP and gradient
accumulation all see it.
Legend: B rows, T prompt and completion tokens, M trie positions with a choice, S symbols of the trie, A most
tokens allowed at one position, d hidden width.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from genrec.decoding.constraint import AnswerConstraint

IntArray = NDArray[np.int64]

IGNORED = -100
NEVER = -1e30  # finite, so that 0 * log 0 stays 0 in the entropy
_LOGIT_CHANGES = (
    "final_logit_softcapping",
    "logit_scale",
    "output_multiplier",
    "lm_head_multiplier",
    "logits_scaling",
)


def add_constrained_head(model: Any, constraint: AnswerConstraint, temperature: float) -> None:
    """Make TRL's fused output head renormalise answers over the tokens that were allowed.

    Args:
        model: causal LM that already has TRL's fused head (`model(..., labels=..., fused_lm_head=True)`).
        constraint: the constraint that completions were sampled under.
        temperature: sampling temperature.

    Raises:
        ValueError: the model changes its logits after the head, which is not reproduced here.
    """
    _check_plain_logits(model)
    inner = model.forward
    symbols = np.unique(constraint.trie.child_symbol).astype(np.int64)  # (S,)

    @functools.wraps(inner)  # `generate` inspects the signature
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        labels = kwargs.get("labels")
        if not kwargs.get("fused_lm_head") or labels is None or not (labels != IGNORED).any():
            return inner(*args, **kwargs)
        with _captured_hidden(self) as hidden:
            output = inner(*args, **kwargs)
        positions = answer_positions(labels, constraint, symbols)
        on_device = torch.from_numpy(symbols).to(labels.device)
        renormalise(output, hidden[0] / temperature, self.get_output_embeddings(), positions, on_device)
        return output

    model.forward = types.MethodType(forward, model)


def _check_plain_logits(model: Any) -> None:
    """Refuse models that scale or cap their logits after the output matrix."""
    config = model.config.get_text_config()
    for name in _LOGIT_CHANGES:
        value = getattr(config, name, None)
        if value not in (None, 1, 1.0):
            raise ValueError(
                "answer_constraint='trie' supports models whose logits are the output matrix alone; "
                f"{type(model).__name__} has {name}={value}. Set answer_constraint=None."
            )


@contextmanager
def _captured_hidden(model: Any) -> Iterator[list[Tensor]]:
    """Collect the last hidden states (B, T, d) of the forward inside the context, gradient included."""
    captured: list[Tensor] = []
    handle = model.base_model.register_forward_hook(lambda _m, _i, out: captured.append(out.last_hidden_state))
    try:
        yield captured
    finally:
        handle.remove()


@dataclass(frozen=True)
class AnswerPositions:
    """Where answers were chosen, in the coordinates of the log-probabilities (B, T - 1) of `labels[:, 1:]`.

    Args:
        forced: (B, T - 1) bool, True at tokens without a choice.
        where: rows and columns (M,) of tokens chosen among several trie children.
        allowed: (M, A) allowed tokens as indices into the sorted symbols, 0 at padding.
        real: (M, A) bool, True at real entries of `allowed`.
        chosen: (M,) entry of `allowed` that was sampled.
    """

    forced: Tensor
    where: tuple[Tensor, Tensor]
    allowed: Tensor
    real: Tensor
    chosen: Tensor


def answer_positions(labels: Tensor, constraint: AnswerConstraint, symbols: IntArray) -> AnswerPositions:
    """Find the answers in a batch.

    Args:
        labels: (B, T) completion tokens, -100 elsewhere (prompt, padding); at least one completion token.
        constraint: the constraint that completions were sampled under.
        symbols: (S,) sorted token ids of the trie.

    Returns:
        The positions.

    Raises:
        ValueError: a completion that the constraint cannot have produced.
    """
    table = labels.cpu().numpy()
    completion = table != IGNORED
    first = int(completion.any(axis=0).argmax())  # column where completions begin
    masks = constraint.masks(table[:, first:], completion[:, first:])
    forced = np.zeros(table.shape, dtype=bool)
    forced[:, first:] = masks.forced & completion[:, first:]
    rows, columns = np.nonzero(masks.constrained & ~masks.forced)
    allowed, real = constraint.allowed_tokens(masks.nodes[rows, columns])
    columns = columns + first
    chosen = ((allowed == table[rows, columns, None]) & real).argmax(axis=1)

    def put(array: Any) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(labels.device)

    where = put(rows), put(columns - 1)
    indices = np.where(real, np.searchsorted(symbols, allowed), 0)
    return AnswerPositions(put(forced[:, 1:]), where, put(indices), put(real), put(chosen))


def renormalise(output: Any, hidden: Tensor, head: Any, positions: AnswerPositions, symbols: Tensor) -> None:
    """Overwrite scores at answers: 0 where forced, normalised over the allowed tokens where chosen.

    Args:
        output: fused output with `log_probs` (B, T - 1) and `entropy` (B, T - 1) or None, changed in place.
        hidden: (B, T, d) last hidden states, divided by the temperature.
        head: output layer.
        positions: where the answers are.
        symbols: (S,) sorted token ids of the trie, on the device of the head.
    """
    scores = _symbol_logits(hidden[positions.where], head, symbols).gather(1, positions.allowed)  # (M, A)
    log_probs = scores.masked_fill(~positions.real, NEVER).log_softmax(dim=1)
    chosen = log_probs.gather(1, positions.chosen[:, None])[:, 0]
    output.log_probs = _overwrite(output.log_probs, positions, chosen)
    if output.entropy is not None:
        output.entropy = _overwrite(output.entropy, positions, -(log_probs.exp() * log_probs).sum(dim=1))


def _overwrite(values: Tensor, positions: AnswerPositions, chosen: Tensor) -> Tensor:
    """Values (B, T - 1) with 0 at forced tokens and `chosen` (M,) at chosen ones, differentiable in both."""
    return values.masked_fill(positions.forced, 0.0).index_put(positions.where, chosen.to(values.dtype))


def _symbol_logits(hidden: Tensor, head: Any, symbols: Tensor) -> Tensor:
    """Float32 logits (M, S) of the trie's tokens from hidden states (M, d)."""
    weight = head.weight.full_tensor() if hasattr(head.weight, "full_tensor") else head.weight  # FSDP2 shards it
    bias = None if head.bias is None else head.bias[symbols].float()
    with torch.autocast(hidden.device.type, enabled=False):
        return functional.linear(hidden.float(), weight[symbols].float(), bias)
