"""Where do the beams keep what the model has already read? Two ways to share the prompt's key-value cache.

Legend: B prompts, T prompt tokens, K beams now, P beams before, V vocabulary.

* `TreeCache`: the prompt is kept once; the beams' tokens are further positions of the same row, and a 4-D
  mask lets
  each see the prompt and its own ancestors only. Nothing is copied. Needs full attention and a mask-taking
  kernel.
* `RepeatCache`: the cache is copied per beam and re-ordered at every step, as `generate` does. Works
  everywhere.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor


class BeamCache(Protocol):
    """Feeds the chosen tokens to the model and returns the next logits."""

    def advance(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """Append one token to each beam.

        Args:
            parents: (B, K) which of the P previous beams each new beam continues.
            tokens: (B, K) the token that it appends.

        Returns:
            (B, K, V) float32 logits of the token after that.
        """
        ...


def prompt_positions(attention_mask: Tensor) -> Tensor:
    """Positions (B, T) of left-padded prompts: 0 at the first real token, 0 on padding."""
    return (attention_mask.long().cumsum(-1) - 1).clamp_min(0)


def prefill(model: Any, input_ids: Tensor, attention_mask: Tensor) -> tuple[Any, Tensor]:
    """Read the prompts once.

    Args:
        model: causal language model of transformers.
        input_ids: (B, T) left-padded prompts.
        attention_mask: (B, T), 1 at real tokens.

    Returns:
        The model's key-value cache, and the float32 logits (B, 1, V) of the first new token.
    """
    out = model(
        input_ids=input_ids,
        attention_mask=attention_mask,
        position_ids=prompt_positions(attention_mask),
        use_cache=True,
        logits_to_keep=1,
    )
    return out.past_key_values, out.logits[:, -1:].float()


def distinct_rows(input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The different prompts of a batch.

    Args:
        input_ids: (B, T) left-padded prompts.
        attention_mask: (B, T), 1 at real tokens.

    Returns:
        Tokens and mask of the U different prompts, (U, T) each, and which of them each row is, (B,).
    """
    both = torch.cat([input_ids, attention_mask.to(input_ids)], dim=1)
    found, row = both.unique(dim=0, return_inverse=True)
    length = input_ids.shape[1]
    return found[:, :length], found[:, length:].to(attention_mask), row


class RepeatCache:
    """One copy of the prompt per beam."""

    def __init__(self, model: Any, past: Any, attention_mask: Tensor) -> None:
        """Start from the cache of the prompts and their (B, T) mask."""
        self.model, self.past, self.mask = model, past, attention_mask
        self.positions = attention_mask.long().sum(-1, keepdim=True)  # (B, 1) of the next token
        self.beams = 1

    def advance(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """See `BeamCache.advance`."""
        batch, beams = tokens.shape
        rows = torch.arange(batch, device=tokens.device)[:, None] * self.beams + parents  # (B, K) rows of the cache
        self.past.reorder_cache(rows.flatten())
        self.mask = torch.cat([self.mask, self.mask.new_ones(batch, 1)], dim=1)
        out = self.model(
            input_ids=tokens.reshape(-1, 1),
            attention_mask=self.mask.repeat_interleave(beams, dim=0),
            position_ids=self.positions.repeat_interleave(beams, dim=0),
            past_key_values=self.past,
            use_cache=True,
        )
        self.past, self.beams, self.positions = out.past_key_values, beams, self.positions + 1
        return out.logits[:, -1].float().view(batch, beams, -1)  # type: ignore[no-any-return]


class TreeCache:
    """One copy of the prompt per row; beams are told apart by the attention mask."""

    def __init__(self, model: Any, past: Any, attention_mask: Tensor) -> None:
        """Start from the cache of the prompts and their (B, T) mask."""
        self.model, self.past = model, past
        self.prompt = attention_mask.bool()[:, None]  # (B, 1, T)
        self.positions = attention_mask.long().sum(-1, keepdim=True)
        self.ancestors = self.prompt.new_zeros(len(attention_mask), 1, 0)  # (B, P, tree tokens so far), True = seen

    def advance(self, parents: Tensor, tokens: Tensor) -> Tensor:
        """See `BeamCache.advance`."""
        batch, beams = tokens.shape
        inherited = self.ancestors.gather(1, parents[..., None].expand(-1, -1, self.ancestors.shape[-1]))
        itself = torch.eye(beams, dtype=torch.bool, device=tokens.device).expand(batch, -1, -1)
        self.ancestors = torch.cat([inherited, itself], dim=-1)
        seen = torch.cat([self.prompt.expand(-1, beams, -1), self.ancestors], dim=-1)[:, None]  # (B, 1, K, T + tree)
        dtype = self.model.dtype
        bias = torch.zeros(seen.shape, dtype=dtype, device=tokens.device).masked_fill_(~seen, torch.finfo(dtype).min)
        out = self.model(
            input_ids=tokens,
            attention_mask=bias,
            position_ids=self.positions.expand(-1, beams),
            past_key_values=self.past,
            use_cache=True,
        )
        self.past, self.positions = out.past_key_values, self.positions + 1
        return out.logits.float()  # type: ignore[no-any-return]


def supports_tree(model: Any) -> bool:
    """Whether a model takes 4-D masks: full attention on every layer, `sdpa` or `eager` kernels."""
    config = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    layers = getattr(config, "layer_types", None)
    full = all(kind == "full_attention" for kind in layers) if layers else not getattr(config, "sliding_window", None)
    return full and getattr(config, "_attn_implementation", None) in ("sdpa", "eager")


def make_cache(kind: str, model: Any, past: Any, attention_mask: Tensor) -> BeamCache:
    """Choose the cache.

    Args:
        kind: "auto" (tree where the model supports it), "tree" or "repeat".
        model: the language model.
        past: its cache after the prompts.
        attention_mask: (B, T) mask of the prompts.

    Returns:
        A cache ready for the first token.

    Raises:
        ValueError: an unknown kind, or "tree" on a model without 4-D masks.
    """
    if kind not in ("auto", "tree", "repeat"):
        raise ValueError(f"cache must be 'auto', 'tree' or 'repeat', got {kind!r}")
    tree = kind != "repeat" and supports_tree(model)
    if kind == "tree" and not tree:
        raise ValueError(f"{type(model).__name__} has no full attention with 4-D masks; use cache='repeat' or 'auto'")
    return TreeCache(model, past, attention_mask) if tree else RepeatCache(model, past, attention_mask)
