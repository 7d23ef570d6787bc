"""What does the output head cost on a CPU? Only the supervised positions, if we let it.

TRL's fused head scores every position where Triton is absent, prompts and padding too, and multiplies by the output
matrix once more in the backward pass to save memory. With a small vocabulary that is more than half of a training step.
Source: ours; measured by benchmarks/sft_head.py. May go when TRL scores labelled positions only on CPUs as well.
"""

from __future__ import annotations

import functools
import types
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from trl.trainer.utils import FusedCausalLMOutput

IGNORED = -100
RESCALED = ("final_logit_softcapping", "logit_scale", "logits_scaling")  # models whose head TRL treats specially
MOST_LOGITS = 2**26  # 256 MiB in fp32; a larger batch x vocabulary is left to TRL's tiles


def add_compact_head(model: Any) -> None:
    """Make `model(..., labels=labels, fused_lm_head=True)` score only labelled positions on CPUs.

    Args:
        model: causal LM (the base model under peft) that already has TRL's fused head, at temperature 1.
    """
    inner = model.forward

    @functools.wraps(inner)  # `generate` inspects the signature
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not kwargs.get("fused_lm_head") or not _fits(self, kwargs.get("labels")):
            return inner(*args, **kwargs)
        labels = kwargs.pop("labels")
        passed = {k: v for k, v in kwargs.items() if k not in ("fused_lm_head", "num_items_in_batch")}
        hidden = self.base_model(*args, **{**passed, "use_cache": False}).last_hidden_state
        return score_labels(hidden[:, :-1], self.get_output_embeddings(), labels[:, 1:])

    model.forward = types.MethodType(forward, model)


def _fits(model: Any, labels: Tensor | None) -> bool:
    """True on a CPU with a plain head, where the logits of the labelled positions fit and there is at least one."""
    if labels is None or labels.device.type != "cpu":
        return False
    if any(getattr(model.config.get_text_config(), name, None) for name in RESCALED):
        return False
    count = int((labels[:, 1:] != IGNORED).sum())
    return 0 < count * int(model.get_output_embeddings().weight.shape[0]) <= MOST_LOGITS


def score_labels(hidden: Tensor, head: Any, labels: Tensor) -> FusedCausalLMOutput:
    """Log-probability, entropy and top-1 agreement of each label.

    Args:
        hidden: (B, T, d) last hidden states.
        head: output embedding with `weight` (V, d) and maybe `bias` (V,).
        labels: (B, T) token that follows each position, -100 where none is asked for.

    Returns:
        TRL's output: fields (B, T), zero where the label is -100, and the mean loss.
    """
    mask = labels != IGNORED
    chosen = labels[mask]  # (N,)
    logits = functional.linear(hidden[mask], head.weight, getattr(head, "bias", None)).float()
    log_probs = functional.log_softmax(logits, dim=-1)  # (N, V)
    picked = log_probs.gather(1, chosen[:, None])[:, 0]
    with torch.no_grad():
        entropy = -(log_probs.exp() * log_probs).sum(-1)
        top = logits.argmax(-1) == chosen
    empty = picked.new_zeros(mask.shape)
    return FusedCausalLMOutput(
        loss=-picked.mean(),
        log_probs=empty.masked_scatter(mask, picked),
        entropy=empty.masked_scatter(mask, entropy),
        is_top1=torch.zeros_like(mask).masked_scatter(mask, top),
        label_mask=mask,
    )
