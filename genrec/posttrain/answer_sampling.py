"""How is a rollout kept inside the catalogue? A guard around `generate`, a loss mask for what it wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from genrec.decoding.constraint import AnswerConstraint
from genrec.decoding.processors import TrieLogitsProcessor
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
        return original(**kwargs, logits_processor=_processors(constraint, kwargs["input_ids"].shape[1], padded))

    padded = num_tokens if model.get_output_embeddings().weight.shape[0] > num_tokens else None
    if constraint is None and padded is None:
        yield
        return
    model.generate = generate
    try:
        yield
    finally:
        del model.generate


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
