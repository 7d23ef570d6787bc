"""How does vLLM score and draw for us? Its offline engine behind `TokenEngine`, never beyond its limits.

Direct use of vLLM's own constraints falls short: its beam search ignores them, and `logprobs` returns the best tokens
of the whole vocabulary instead of the children. `logprob_token_ids` names the tokens whose raw log-probabilities we
want.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genrec.decoding.engines.protocol import ChainSettings, DrawnChain, Tokens

MOST_TOKEN_IDS = 128
"""vLLM scores at most so many named tokens per request; more are split over requests that share the prefix cache."""
MOST_REQUESTS = 1024
"""Requests handed over at once."""
NEVER_DRAWN = -100.0


class VllmEngine:
    """A checkpoint in vLLM.

    Args:
        engine: A `vllm.LLM` with the default `logprobs_mode` ("raw_logprobs").
    """

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._longest = int(engine.llm_engine.model_config.max_model_len)

    @classmethod
    def open(cls, folder: str, **options: Any) -> VllmEngine:
        """Load a checkpoint.

        Args:
            folder: Plain checkpoint (adapters merged).
            options: Further arguments of `vllm.LLM`; float32, eager and prefix caching unless said otherwise.

        Raises:
            ValueError: vLLM is not installed.
        """
        try:
            from vllm import LLM
        except ModuleNotFoundError as error:
            raise ValueError("vLLM is not installed: `make setup WITH_VLLM=1`, or pip install 'gream[vllm]'") from error
        settings = {"dtype": "float32", "enforce_eager": True, "enable_prefix_caching": True, **options}
        return cls(LLM(folder, **settings))

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
            outputs = self._run([prompts[row] for row, _ in chunk], [self._scoring(ids) for ids in asked], 1)
            for (row, _), ids, output in zip(chunk, asked, outputs, strict=True):
                values = output.outputs[0].logprobs[0]
                found[row] += [float(values[token].logprob) for token in ids]
        return found

    def draw(
        self, prompts: Sequence[Tokens], n: int, marker: Tokens, settings: ChainSettings
    ) -> list[list[DrawnChain]]:
        """See `TokenEngine.draw`."""
        if len(marker) != 1:
            raise ValueError(f"the closing marker is {len(marker)} tokens; add it to the tokenizer as one token")
        results: list[list[DrawnChain]] = []
        step = max(1, MOST_REQUESTS // n)
        for first in range(0, len(prompts), step):
            chunk = prompts[first : first + step]
            drawing = [self._drawing(n, marker, settings, first + i) for i in range(len(chunk))]
            for output in self._run(chunk, drawing, settings.max_tokens):
                results.append([_as_chain(sample, int(marker[0])) for sample in output.outputs])
        return results

    def _run(self, prompts: Sequence[Tokens], params: Sequence[Any], new_tokens: int) -> list[Any]:
        """Outputs of requests in their order."""
        longest = max(len(prompt) for prompt in prompts) + new_tokens
        if longest > self._longest:
            raise ValueError(
                f"a request of {longest} tokens exceeds the engine's max_model_len of {self._longest}; "
                "open it with a larger one, or shorten histories or chains"
            )
        wrapped = [{"prompt_token_ids": list(prompt)} for prompt in prompts]
        return list(self._engine.generate(wrapped, list(params), use_tqdm=False))

    def _scoring(self, tokens: list[int]) -> Any:
        from vllm import SamplingParams

        return SamplingParams(
            temperature=0.0, max_tokens=1, logprob_token_ids=tokens, allowed_token_ids=tokens, detokenize=False,
            ignore_eos=True,
        )  # fmt: skip

    def _drawing(self, n: int, marker: Tokens, settings: ChainSettings, number: int) -> Any:
        """One prompt's draw, with a seed of its own; chains end at the marker."""
        from vllm import SamplingParams

        greedy = settings.temperature == 0
        return SamplingParams(
            n=n, temperature=settings.temperature, top_p=1.0 if greedy else settings.top_p,
            top_k=0 if greedy else settings.top_k, max_tokens=settings.max_tokens, logprobs=0, detokenize=False,
            seed=None if greedy else settings.seed + 1_000_003 * number, stop_token_ids=[int(marker[0])],
            logit_bias={int(token): NEVER_DRAWN for token in settings.forbidden} or None,
        )  # fmt: skip


def _as_chain(sample: Any, marker: int) -> DrawnChain:
    """A vLLM completion as a chain."""
    tokens = tuple(int(token) for token in sample.token_ids)
    return DrawnChain(tokens, float(sample.cumulative_logprob), tokens[-1:] == (marker,))
