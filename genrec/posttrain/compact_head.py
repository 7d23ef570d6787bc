"""What does the output head cost on a CPU? Only the supervised positions, if we let it.

TRL's fused head scores every position where Triton is absent, prompts and padding too, and multiplies by the output
matrix once more in the backward pass to save memory. With a small vocabulary that is more than half of a training step.
It also takes soft labels (`genrec.posttrain.soft_labels`), on any device, which TRL's head does not know.
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


def add_compact_head(model: Any, temperature: float = 1.0) -> None:
    """Make `model(..., labels=labels, fused_lm_head=True)` score only labelled positions on CPUs.

    Args:
        model: causal LM (the base model under peft) that already has TRL's fused head.
        temperature: logits are divided by it, as TRL's head was told to.
    """
    inner = model.forward

    @functools.wraps(inner)  # `generate` inspects the signature
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        soft = [kwargs.pop(name, None) for name in ("soft_tokens", "soft_weights")]
        if not kwargs.get("fused_lm_head") or (soft[0] is None and not _fits(self, kwargs.get("labels"))):
            return inner(*args, **kwargs)
        if soft[0] is not None and _is_rescaled(self):
            raise ValueError(f"{type(self).__name__} rescales its logits; soft labels need a plain output head")
        labels = kwargs.pop("labels")
        passed = {k: v for k, v in kwargs.items() if k not in ("fused_lm_head", "num_items_in_batch")}
        hidden = self.base_model(*args, **{**passed, "use_cache": False}).last_hidden_state
        return score_labels(hidden[:, :-1], self.get_output_embeddings(), labels[:, 1:], *soft, temperature=temperature)

    model.forward = types.MethodType(forward, model)


def _fits(model: Any, labels: Tensor | None) -> bool:
    """True on a CPU with a plain head, where the logits of the labelled positions fit and there is at least one."""
    if labels is None or labels.device.type != "cpu":
        return False
    if _is_rescaled(model):
        return False
    count = int((labels[:, 1:] != IGNORED).sum())
    return 0 < count * int(model.get_output_embeddings().weight.shape[0]) <= MOST_LOGITS


def _is_rescaled(model: Any) -> bool:
    """True where the head does more than multiply."""
    return any(getattr(model.config.get_text_config(), name, None) for name in RESCALED)


def score_labels(
    hidden: Tensor,
    head: Any,
    labels: Tensor,
    soft_tokens: Tensor | None = None,
    soft_weights: Tensor | None = None,
    *,
    temperature: float = 1.0,
) -> FusedCausalLMOutput:
    """Log-probability, entropy and top-1 agreement of each label.

    Args:
        hidden: (B, T, d) last hidden states.
        head: output embedding with `weight` (V, d) and maybe `bias` (V,).
        labels: (B, T) token that follows each position, -100 where none is asked for.
        soft_tokens: (N, C) tokens that share the label of each of the N labelled positions, row by row; None: labels.
        soft_weights: (N, C) their shares, which sum to 1.
        temperature: logits are divided by it.

    Returns:
        TRL's output: fields (B, T), zero where the label is -100, and the mean loss. With soft labels `log_probs` is
        the expected log-probability, minus a cross-entropy; the agreement is that with `labels`.
    """
    mask = labels != IGNORED
    chosen = labels[mask]  # (N,)
    logits = functional.linear(hidden[mask], head.weight, getattr(head, "bias", None)).float() / temperature
    log_probs = functional.log_softmax(logits, dim=-1)  # (N, V)
    if soft_tokens is None or soft_weights is None:
        picked = log_probs.gather(1, chosen[:, None])[:, 0]
    else:
        picked = (log_probs.gather(1, soft_tokens) * soft_weights).sum(1)
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
