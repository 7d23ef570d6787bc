"""How are chains drawn from the model? `model.generate` under settings that are all ours.

Legend: B prompts, n samples per prompt, T prompt tokens (left padded), S new tokens, V output rows.

transformers fills whatever a GenerationConfig leaves open from the model folder's own generation_config.json
(a repetition penalty or a sampling flag there changes every result), so its content is put aside meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from gream.recommend.processors import LogProbRecorder


@dataclass(frozen=True)
class SampledChain:
    """One sampled completion.

    Attributes:
        row: Which history it answers.
        text: The completion as text, tags included.
        chain: What stands between the think tags.
        item: Item of the answer; None when there is no answer or it names no item.
        log_prob: Sum of the log-probabilities of its tokens at temperature 1 (nats), after constraints.
        num_tokens: Tokens drawn, the end token included.
        format_ok: True when the whole output has the trained form.
        answered: True when there is an answer with well-formed codes, existing item or not.
    """

    row: int
    text: str
    chain: str
    item: int | None
    log_prob: float
    num_tokens: int
    format_ok: bool
    answered: bool


@dataclass(frozen=True)
class SamplingConfig:
    """How chains are drawn.

    Args:
        temperature: Softmax temperature; 0 is greedy.
        top_p: Nucleus share, in (0, 1].
        max_new_tokens: Longest completion, tokens, answer included.
        seed: Seed of the draw.

    Raises:
        ValueError: A value is out of range.
    """

    temperature: float = 0.7
    top_p: float = 0.9
    max_new_tokens: int = 128
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.temperature < 0:
            raise ValueError(f"temperature={self.temperature} is negative; use 0 for greedy decoding")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p} is outside (0, 1]; 1 keeps every token")
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens={self.max_new_tokens}: a chain needs at least one token")


@contextmanager
def own_generation_config(model: Any, pad_id: int) -> Iterator[None]:
    """Put the model folder's generation settings aside; they return when the block ends."""
    theirs = model.generation_config
    model.generation_config = GenerationConfig(pad_token_id=pad_id)
    try:
        yield
    finally:
        model.generation_config = theirs


def generation_config(
    config: SamplingConfig, num_samples: int, end_ids: Sequence[int], pad_id: int
) -> GenerationConfig:
    """Spell every setting that shapes the draw out.

    Args:
        config: Temperature, nucleus, budget.
        num_samples: n.
        end_ids: Tokens that end a completion.
        pad_id: Padding token.

    Returns:
        A config in which nothing is left to a model folder.

    Raises:
        ValueError: Several greedy samples were asked for; they would all be the same.
    """
    greedy = config.temperature == 0
    if greedy and num_samples > 1:
        raise ValueError(f"{num_samples} greedy samples are all the same; ask for 1 or set temperature > 0")
    draw = {} if greedy else {"temperature": config.temperature, "top_p": config.top_p, "top_k": 0}
    return GenerationConfig(
        do_sample=not greedy,
        num_beams=1,
        num_return_sequences=num_samples,
        max_new_tokens=config.max_new_tokens,
        eos_token_id=list(end_ids),
        pad_token_id=pad_id,
        use_cache=True,
        **draw,
    )


@torch.inference_mode()
def draw(
    model: Any,
    input_ids: Tensor,
    attention_mask: Tensor,
    settings: GenerationConfig,
    processors: Sequence[LogitsProcessor],
    seed: int,
    watch: StoppingCriteria | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Draw completions for one batch.

    Args:
        model: Causal language model.
        input_ids: (B, T) left padded prompts.
        attention_mask: (B, T) 1 at real tokens.
        settings: From `generation_config`.
        processors: Constraints, in order; the recorder is put behind them.
        seed: Seed of this batch; torch's global generator is left as it was.
        watch: Called after every token; ends the rows (B * n,) for which it says True.

    Returns:
        completions (B * n, S); real (B * n, S) True up to and including the end token; log_probs (B * n,).
    """
    recorder = LogProbRecorder()
    devices = [model.device] if model.device.type == "cuda" else []
    with own_generation_config(model, int(settings.pad_token_id)), torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        output = model.generate(
            input_ids=input_ids.to(model.device),
            attention_mask=attention_mask.to(model.device),
            generation_config=settings,
            logits_processor=LogitsProcessorList([*processors, recorder]),
            stopping_criteria=StoppingCriteriaList([] if watch is None else [watch]),
        )
    completions = output[:, input_ids.shape[1] :]
    real = until_end(completions, settings.eos_token_id)
    return completions, real, recorder.total(completions, real)


def until_end(completions: Tensor, end_ids: Sequence[int]) -> Tensor:
    """Mark the tokens that were drawn.

    Args:
        completions: (B, S) new tokens.
        end_ids: Tokens that end a completion.

    Returns:
        (B, S) True up to and including the first end token.
    """
    ended = torch.isin(completions, torch.as_tensor(list(end_ids), device=completions.device)).long()
    return (ended.cumsum(dim=1) - ended) == 0
