"""How is a rollout kept inside the catalogue? A guard around `generate`, a loss mask for what it wrote.

Without a constraint the rollouts are the library's own, random numbers included, so that plain GRPO stays comparable
token for token. With one, `genrec.decoding.sampling` draws them where the settings are plain, because it is faster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig

from genrec.decoding.constraint import AnswerConstraint
from genrec.decoding.processors import TrieLogitsProcessor
from genrec.decoding.sampling import SampleSettings, sample_completions
from genrec.sid.vocabulary import PaddedRowsMask


@contextmanager
def guarded_generation(model: Any, constraint: AnswerConstraint | None, num_tokens: int) -> Iterator[None]:
    """Let `model.generate` sample only real tokens and, with a constraint, only answers of the catalogue.

    Args:
        model: unwrapped causal LM; its `generate` is replaced while the context lasts.
        constraint: answer constraint, None for free sampling.
        num_tokens: `len(tokenizer)`; a padded output matrix has more rows, which are never sampled.
    """
    original = model.generate

    def generate(**kwargs: Any) -> Any:
        processors = _processors(constraint, kwargs["input_ids"].shape[1], padded)
        if constraint is not None and is_plain(kwargs["generation_config"]):
            return _sampled(model, kwargs, processors)
        return original(**kwargs, logits_processor=processors)

    padded = num_tokens if model.get_output_embeddings().weight.shape[0] > num_tokens else None
    if constraint is None and padded is None:
        yield
        return
    model.generate = generate
    try:
        yield
    finally:
        del model.generate


def is_plain(config: GenerationConfig) -> bool:
    """True where a config asks for temperature and top-p only, which is all that our sampler knows."""
    unused = (config.min_p, config.typical_p, config.epsilon_cutoff, config.eta_cutoff, config.top_h)
    return (
        bool(config.do_sample)
        and (config.top_k or 0) == 0
        and (config.repetition_penalty or 1.0) == 1.0
        and all(value in (None, 0, 0.0, 1.0) for value in unused)
    )


def _sampled(model: Any, kwargs: dict[str, Any], processors: list[Any]) -> Tensor:
    """Prompts and completions (n, T + S), drawn by our sampler; its seed comes from torch's global generator."""
    config, prompts = kwargs["generation_config"], kwargs["input_ids"]
    heat, share = 1.0 if config.temperature is None else config.temperature, config.top_p or 1.0
    ends = [config.eos_token_id] if isinstance(config.eos_token_id, int) else list(config.eos_token_id)
    settings = SampleSettings(int(config.max_new_tokens), tuple(ends), int(config.pad_token_id), heat, share)
    seed = int(torch.randint(2**62, ()))
    drawn = sample_completions(model, prompts, kwargs["attention_mask"], settings, processors, seed=seed)
    return torch.cat([prompts, drawn.tokens.to(prompts.device)], dim=1)


def choice_mask(completion_ids: Sequence[Sequence[int]], constraint: AnswerConstraint) -> list[list[int]]:
    """Loss mask of sampled completions.

    Args:
        completion_ids: n token lists.
        constraint: the constraint they were sampled under.

    Returns:
        n lists as long as the completions: 1 where the model had a choice, 0 at forced tokens (tags, end,
        only children), which carry no gradient and would only dilute the token mean.
    """
    return [(~constraint.masks([ids]).forced[0]).astype(int).tolist() for ids in completion_ids]


def _processors(constraint: AnswerConstraint | None, prompt_length: int, padded: int | None) -> list[Any]:
    """Processors of one `generate` call."""
    guard = [] if padded is None else [PaddedRowsMask(padded)]
    return guard if constraint is None else [*guard, TrieLogitsProcessor(constraint, prompt_length)]
