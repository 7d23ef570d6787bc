"""How does vLLM score and write for us? Its offline engine behind `TokenEngine`, never beyond its limits.

Direct use of vLLM's own constraints falls short: its beam search ignores them, and `logprobs` returns the best tokens
of the whole vocabulary instead of the children. `logprob_token_ids` names the tokens whose log-probabilities we want,
and a logits processor of ours (`vllm_answers`) keeps answers inside the catalogue.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from genrec.decoding.constraint import AnswerConstraint
from genrec.decoding.engines.protocol import AnswerSettings, Completion, Tokens
from genrec.llm.vllm_cpu import vllm_environment

KEY = "genrec"
"""Name of our part of a request's `extra_args` and of the engine's `additional_config`."""
PROCESSOR = "genrec.decoding.engines.vllm_answers:AnswerProcessor"
MOST_TOKEN_IDS = 128
"""vLLM scores at most so many named tokens per request; more are split over requests that share the prefix cache."""
MOST_REQUESTS = 1024
"""Requests handed over at once."""


class VllmEngine:
    """A checkpoint in vLLM.

    Args:
        engine: A `vllm.LLM` with our processor (`processor_options`).
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._longest = int(engine.llm_engine.model_config.max_model_len)

    @classmethod
    def open(cls, folder: str, constraint: AnswerConstraint, **options: Any) -> VllmEngine:
        """Load a checkpoint.

        Args:
            folder: Plain checkpoint (adapters merged).
            constraint: What an answer is.
            options: Further arguments of `vllm.LLM`; float32, eager and prefix caching unless said otherwise.

        Raises:
            ValueError: vLLM is not installed.
        """
        try:
            from vllm import LLM
        except ModuleNotFoundError as error:
            raise ValueError("vLLM is not installed: `make setup WITH_VLLM=1`, or pip install 'gream[vllm]'") from error
        os.environ.update(vllm_environment())  # the engine is a process of its own and reads it there
        settings = {"dtype": "float32", "enforce_eager": True, "enable_prefix_caching": True, **options}
        with tempfile.TemporaryDirectory() as place:  # the engine maps the trie; the files may go once it has started
            return cls(LLM(folder, **settings, **processor_options(constraint, Path(place))))

    def close(self) -> None:
        """End the engine's processes."""
        self._engine.llm_engine.engine_core.shutdown()

    def score(self, prompts: Sequence[Tokens], tokens: Sequence[Tokens]) -> list[list[float]]:
        """See `TokenEngine.score`."""
        pieces = [(row, start) for row, asked in enumerate(tokens) for start in range(0, len(asked), MOST_TOKEN_IDS)]
        found: list[list[float]] = [[] for _ in prompts]
        for first in range(0, len(pieces), MOST_REQUESTS):
            chunk = pieces[first : first + MOST_REQUESTS]
            asked = [list(tokens[row][start : start + MOST_TOKEN_IDS]) for row, start in chunk]
            outputs = self._run([prompts[row] for row, _ in chunk], [_scoring(ids) for ids in asked], 1)
            for (row, _), ids, output in zip(chunk, asked, outputs, strict=True):
                values = output.outputs[0].logprobs[0]
                found[row] += [float(values[token].logprob) for token in ids]
        return found

    def complete(self, prompts: Sequence[Tokens], n: int, settings: AnswerSettings) -> list[list[Completion]]:
        """See `TokenEngine.complete`."""
        rows = [(row, sample) for row in range(len(prompts)) for sample in range(n)]
        found: list[list[Completion]] = [[] for _ in prompts]
        for first in range(0, len(rows), MOST_REQUESTS):
            chunk = rows[first : first + MOST_REQUESTS]
            params = [_writing(settings.of(row, sample)) for row, sample in chunk]
            outputs = self._run([prompts[row] for row, _ in chunk], params, settings.max_tokens)
            for (row, _), output in zip(chunk, outputs, strict=True):
                written = output.outputs[0]
                tokens = tuple(int(token) for token in written.token_ids)
                found[row].append(Completion(tokens, float(written.cumulative_logprob)))
        return found

    def _run(self, prompts: Sequence[Tokens], params: Sequence[Any], new_tokens: int) -> list[Any]:
        longest = max(len(prompt) for prompt in prompts) + new_tokens
        if longest > self._longest:
            raise ValueError(
                f"a request of {longest} tokens exceeds the engine's max_model_len of {self._longest}; "
                "open it with a larger one, or shorten histories or chains"
            )
        wrapped = [{"prompt_token_ids": list(prompt)} for prompt in prompts]
        return list(self._engine.generate(wrapped, list(params), use_tqdm=False))


def processor_options(constraint: AnswerConstraint, place: Path) -> dict[str, Any]:
    """Arguments of `vllm.LLM` that put our processor into the engine.

    Args:
        constraint: What an answer is.
        place: Folder for the trie; needed until the engine has started.
    """
    facts = {
        "trie": str(constraint.trie.save(place / "trie")), "start": list(constraint.start),
        "prefix": list(constraint.prefix), "suffix": list(constraint.ending[:-1]), "eos": constraint.eos_id,
    }  # fmt: skip
    options = {"logprobs_mode": "processed_logits", "additional_config": {KEY: facts}}
    return {"logits_processors": [PROCESSOR], **options}


def _scoring(tokens: list[int]) -> Any:
    from vllm import SamplingParams

    return SamplingParams(
        temperature=0.0, max_tokens=1, logprob_token_ids=tokens, detokenize=False, ignore_eos=True, extra_args={KEY: {}}
    )


def _writing(settings: AnswerSettings) -> Any:
    """One completion; to vLLM it is greedy, our processor draws."""
    from vllm import SamplingParams

    return SamplingParams(
        temperature=0.0, max_tokens=settings.max_tokens, logprobs=0, detokenize=False,
        extra_args={KEY: asdict(replace(settings, padded=list(settings.padded)))},  # type: ignore[arg-type]
    )  # fmt: skip
