"""How are completions sampled from a small model without waiting for the library? One loop, ended rows leave it.

Legend: B prompts, n samples per prompt, N = B * n completions, R rows still open, T prompt tokens (left padded), S new
tokens, V output rows.

`generate` carries every row to the end of the longest one, sorts the vocabulary for top-p and draws with a
multinomial kernel: on a CPU that is most of the time of a small model. Here ended rows leave batch and cache, the
nucleus is taken from the most probable tokens, and each token costs one uniform number. benchmarks/sampling.py holds
both against each other. Source: ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor

from genrec.decoding.caches import distinct_rows, prefill

Watch = Callable[[Tensor, Tensor], Tensor]
"""Hears completions while they are drawn: tokens (N, S) so far and their lengths (N,); True (N,) ends a completion."""

HEADS = (32, 256)  # most probable tokens looked at, in turn, before the whole vocabulary is sorted for a nucleus
SHRINK = 0.75  # open share of the rows at which the ended ones are thrown out of the cache


@dataclass(frozen=True)
class SampleSettings:
    """How completions are drawn.

    Args:
        max_new_tokens: longest completion.
        end_ids: tokens that end one.
        pad_id: what follows the end.
        temperature: softmax temperature; 0 is greedy.
        top_p: nucleus share in (0, 1]; 1 keeps every token.
    """

    max_new_tokens: int
    end_ids: tuple[int, ...]
    pad_id: int
    temperature: float = 1.0
    top_p: float = 1.0


@dataclass(frozen=True)
class Completions:
    """What was drawn.

    Attributes:
        tokens: (N, S) new tokens, padded behind the end; samples of a prompt are neighbours.
        real: (N, S) True up to and including the end token.
        log_probs: (N,) sums over the drawn tokens at temperature 1, after the processors, in nats.
    """

    tokens: Tensor
    real: Tensor
    log_probs: Tensor


def nucleus_pick(logits: Tensor, top_p: float, uniform: Tensor) -> Tensor:
    """Draw from the smallest set of tokens that holds at least `top_p` of the probability.

    Args:
        logits: (R, V), -inf where a token is forbidden; divided by the temperature already.
        top_p: nucleus share in (0, 1].
        uniform: (R,) numbers in [0, 1).

    Returns:
        (R,) tokens.
    """
    if top_p >= 1:
        return inverse_cdf(logits.softmax(-1), uniform)
    picked = torch.empty(len(logits), dtype=torch.long, device=logits.device)
    log_probs, left = logits.log_softmax(-1), torch.arange(len(logits), device=logits.device)
    for width in (*HEADS, logits.shape[-1]):
        top, tokens = log_probs[left].topk(min(width, logits.shape[-1]))
        mass = top.exp()
        before = mass.cumsum(-1) - mass
        drawn = tokens.gather(1, inverse_cdf(mass * (before < top_p), uniform[left])[:, None])[:, 0]
        enough = mass.sum(-1) >= top_p if tokens.shape[-1] < logits.shape[-1] else torch.ones_like(drawn).bool()
        picked[left[enough]] = drawn[enough]
        left = left[~enough]
        if not len(left):
            break
    return picked


def inverse_cdf(weights: Tensor, uniform: Tensor) -> Tensor:
    """The entry in which `uniform` of the total weight lies.

    Args:
        weights: (R, V) non-negative, at least one positive per row; they need not sum to 1.
        uniform: (R,) in [0, 1).

    Returns:
        (R,) indices; an entry of weight 0 is never returned.
    """
    cdf = weights.double().cumsum(-1)
    last = cdf[:, -1:]
    goal = torch.minimum(uniform.double()[:, None] * last, torch.nextafter(last, torch.zeros_like(last)))
    return torch.searchsorted(cdf, goal, right=True)[:, 0]


@torch.inference_mode()
def sample_completions(
    model: Any,
    input_ids: Tensor,
    attention_mask: Tensor,
    settings: SampleSettings,
    processors: Sequence[LogitsProcessor] = (),
    *,
    num_samples: int = 1,
    seed: int = 0,
    watch: Watch | None = None,
) -> Completions:
    """Sample n completions behind each prompt; each different prompt is read once.

    Args:
        model: causal language model of transformers; its `generation_config` is not looked at.
        input_ids: (B, T) left-padded prompts.
        attention_mask: (B, T), 1 at real tokens.
        settings: temperature, nucleus, ends.
        processors: called as by `generate`, in order, with the open rows only; they must be stateless.
        num_samples: n.
        seed: of the draw; torch's global generator is neither read nor moved.
        watch: called after every token; may end completions early.

    Returns:
        The completions, N = B * n.
    """
    device = model.device
    mask = attention_mask.to(device)
    prompts, real, row = distinct_rows(input_ids.to(device), mask)
    past, logits = prefill(model, prompts, real)
    rows = row.repeat_interleave(num_samples)
    past.batch_select_indices(rows)
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(len(rows), settings.max_new_tokens, generator=generator).to(device)
    ids = input_ids.to(device).repeat_interleave(num_samples, 0)
    loop = _Loop(model, settings, processors, past, mask.repeat_interleave(num_samples, 0), ids, uniform)
    loop.run(logits[rows, -1], watch)
    return loop.result()


class _Loop:
    """The state of a draw: cache, mask and tokens of the rows in play, results of all rows."""

    def __init__(
        self, model: Any, settings: SampleSettings, processors: Any, past: Any, mask: Tensor, ids: Tensor, uniform: Any
    ) -> None:
        self.model, self.settings, self.processors, self.past = model, settings, processors, past
        self.mask, self.ids, self.uniform = mask, ids, uniform
        self.rows = torch.arange(len(ids), device=ids.device)  # (R,) whose completion each row is
        self.open = torch.ones_like(self.rows, dtype=torch.bool)
        self.ends = torch.tensor(settings.end_ids, device=ids.device)
        self.tokens = torch.full((len(ids), settings.max_new_tokens), settings.pad_id, device=ids.device)
        self.lengths = torch.zeros_like(self.rows)
        self.log_probs = torch.zeros(len(ids), device=ids.device)

    def run(self, logits: Tensor, watch: Watch | None) -> None:
        """Draw until every row has ended or the budget is spent; `logits` (N, V) of the first token."""
        for step in range(self.settings.max_new_tokens):
            drawn = self._draw(logits, step)
            self.open &= ~torch.isin(drawn, self.ends)
            if watch is not None:
                self.open &= ~watch(self.tokens[:, : step + 1], self.lengths)[self.rows]
            self.ids = torch.cat([self.ids, drawn[:, None]], dim=1)
            if step + 1 == self.settings.max_new_tokens or not bool(self.open.any()):
                return
            self._shrink()
            logits = self._forward()

    def _draw(self, logits: Tensor, step: int) -> Tensor:
        """Next tokens (R,), noted for the rows still open."""
        for processor in self.processors:
            logits = processor(self.ids, logits)
        heat = self.settings.temperature
        if heat == 0:
            drawn = logits.argmax(-1)
        else:
            drawn = nucleus_pick(logits / heat, self.settings.top_p, self.uniform[self.rows, step])
        drawn = torch.where(self.open, drawn, self.settings.pad_id)
        rows = self.rows[self.open]
        self.tokens[rows, step], self.lengths[rows] = drawn[self.open], step + 1
        gained = logits.gather(1, drawn[:, None])[:, 0] - logits.logsumexp(-1)
        self.log_probs[rows] += gained[self.open]
        return drawn

    def _shrink(self) -> None:
        """Throw ended rows out once they are a quarter of the batch."""
        if float(self.open.float().mean()) > SHRINK:
            return
        kept = self.open.nonzero()[:, 0]
        self.past.batch_select_indices(kept)
        self.mask, self.ids, self.rows = self.mask[kept], self.ids[kept], self.rows[kept]
        self.open = self.open[kept]

    def _forward(self) -> Tensor:
        """Logits (R, V) behind the newest token."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], dim=1)
        output = self.model(
            input_ids=self.ids[:, -1:],
            attention_mask=self.mask,
            position_ids=self.mask.long().sum(-1, keepdim=True) - 1,
            past_key_values=self.past,
            use_cache=True,
        )
        self.past = output.past_key_values
        return output.logits[:, -1].float()  # type: ignore[no-any-return]

    def result(self) -> Completions:
        """What was drawn, cut to the longest completion."""
        longest = int(self.lengths.max())
        real = torch.arange(longest, device=self.tokens.device)[None] < self.lengths[:, None]
        return Completions(self.tokens[:, :longest], real, self.log_probs)
