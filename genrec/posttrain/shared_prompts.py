"""Why read one prompt G times? The completions of a group are scored behind a single pass over their prompt.

The rows of a batch whose prompts are equal share the prompt's keys and values, gradient included; each completion then
attends to them. Exact: the same sums in another order. A history of twenty items is three times as long as the chain
behind it, so most of a batch of rollouts is prompts. The patch sits on the model, so that policy, old policy and
reference see it; `benchmarks/rollout_scoring.py` measures it.

Legend: B rows, U different prompts, P prompt tokens (left-padded), T prompt and completion tokens, d hidden width.
Source: ours; the sharing is that of prefix caching in inference engines (Kwon et al. 2023), with a gradient.
"""

from __future__ import annotations

import functools
import types
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer

from genrec.decoding.caches import distinct_rows
from genrec.posttrain.rows import IGNORED


def add_shared_prompts(model: Any) -> None:
    """Make TRL's scoring (`model(..., labels=..., fused_lm_head=True)`) read equal prompts once.

    Args:
        model: causal LM with a key-value cache (the base model under peft). Where a call cannot share (gradient
            checkpointing, other caches, no two rows with one prompt) it runs as it would have.
    """
    backbone, outer, inner = model.base_model, model.forward, model.base_model.forward
    prompt: list[int] = []  # its length while a scoring call runs

    @functools.wraps(outer)  # `generate` inspects the signature
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        labels = kwargs.get("labels")
        checkpointed = self.training and getattr(self, "is_gradient_checkpointing", False)
        if kwargs.get("fused_lm_head") and labels is not None and not checkpointed:
            prompt[:] = [int((labels != IGNORED).any(dim=0).int().argmax())]
        try:
            return outer(*args, **kwargs)
        finally:
            prompt.clear()

    @functools.wraps(inner)
    def shared(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not prompt or args or prompt[0] == 0:
            return inner(*args, **kwargs)
        return score_shared(inner, prompt[0], **kwargs)

    model.forward = types.MethodType(forward, model)
    backbone.forward = types.MethodType(shared, backbone)


def score_shared(inner: Any, length: int, input_ids: Tensor, attention_mask: Tensor, **kwargs: Any) -> Any:
    """Hidden states of a batch, each different prompt read once.

    Args:
        inner: forward of the backbone.
        length: P.
        input_ids: (B, T).
        attention_mask: (B, T), 0 at padding.
        kwargs: further arguments of the backbone.

    Returns:
        The backbone's output with `last_hidden_state` (B, T, d).
    """
    whole = {"input_ids": input_ids, "attention_mask": attention_mask, **kwargs}
    if kwargs.get("output_router_logits") or any(isinstance(value, Tensor) for value in kwargs.values()):
        return inner(**whole)  # experts are balanced over whole rows; images and positions belong to rows
    prompts, real, row = distinct_rows(input_ids[:, :length], attention_mask[:, :length])
    if len(prompts) == len(input_ids) or length == input_ids.shape[1]:
        return inner(**whole)
    cached = {**kwargs, "use_cache": True}
    first = inner(input_ids=prompts, attention_mask=real, **cached)
    cache = getattr(first, "past_key_values", None)
    if cache is None or any(type(layer) is not DynamicLayer for layer in cache.layers):
        return inner(**whole)  # sliding windows and states cannot be handed on
    cache.batch_select_indices(row)
    output = inner(input_ids=input_ids[:, length:], attention_mask=attention_mask, past_key_values=cache, **cached)
    output.last_hidden_state = torch.cat([first.last_hidden_state[row], output.last_hidden_state], dim=1)
    output.past_key_values = None
    return output
