"""How does a checkpoint answer through a generation engine (vLLM) instead of `generate`? The same runner, other legs.

Legend: N histories, k list length, n samples per history.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genrec.decoding.engines.beam import engine_beam_search
from genrec.decoding.engines.protocol import AnswerSettings, Completion, TokenEngine
from genrec.decoding.expand import SubCatalogue
from gream.recommend.folder import Parts
from gream.recommend.recommender import GreamRecommender
from gream.recommend.runner import History, Runner
from gream.recommend.sampling import SampledChain, SamplingConfig

Beams = Literal["own", "engine"]


class EngineRunner(Runner):
    """A `Runner` whose chains, and on demand beams, come from a `TokenEngine`.

    Args:
        parts: What the recommender folder holds.
        engine: The same weights in an engine.
        beams: "own" ranks with the batched beams of this process, "engine" asks the engine for every level.
    """

    def __init__(self, parts: Parts, engine: TokenEngine, beams: Beams = "own") -> None:
        super().__init__(parts)
        if beams not in ("own", "engine"):
            raise ValueError(f"beams='{beams}' does not exist; choose 'own' or 'engine'")
        self.engine, self.beams = engine, beams
        rows = int(self.model.get_output_embeddings().weight.shape[0])
        self.padded = (len(self.tokenizer), rows)

    def beam(
        self,
        prompts: Sequence[Sequence[int]],
        k: int,
        num_beams: int,
        exclude: Sequence[Set[int]] | None,
        batch_size: int,
        progress: bool = False,
        within: Sequence[SubCatalogue | None] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """See `Runner.beam`."""
        if self.beams == "own":
            return super().beam(prompts, k, num_beams, exclude, batch_size, progress, within)
        items, scores = [], []
        for start in range(0, len(prompts), batch_size):
            part = slice(start, start + batch_size)
            found = engine_beam_search(
                self.engine, prompts[part], self.trie, num_beams, k,
                None if exclude is None else exclude[part], None if within is None else within[part],
            )  # fmt: skip
            items.append(found.items.numpy())
            scores.append(found.scores.numpy())
        return np.concatenate(items).astype(np.int64), np.concatenate(scores).astype(np.float64)

    def sample(
        self,
        histories: Sequence[History],
        n: int,
        config: SamplingConfig,
        *,
        constrained: bool,
        close: bool,
        batch_size: int,
        progress: bool = False,
    ) -> list[list[SampledChain]]:
        """See `Runner.sample`; the engine makes its own batches, so `batch_size` is not looked at."""
        if not (constrained or close):
            raise ValueError("an engine draws constrained answers only; use the transformers engine for free ones")
        if config.max_new_tokens <= self.answer_tokens:
            raise ValueError(
                f"max_new_tokens={config.max_new_tokens}: the answer alone takes {self.answer_tokens} tokens"
            )
        prompts = [self.reasoning_ids(history) for history in histories]
        settings = AnswerSettings(
            config.temperature, config.top_p, config.max_new_tokens, close, config.max_new_tokens - self.answer_tokens,
            config.seed, self.padded,
        )  # fmt: skip
        return [self._samples(row, made) for row, made in enumerate(self.engine.complete(prompts, n, settings))]

    def _samples(self, row: int, made: Sequence[Completion]) -> list[SampledChain]:
        """The completions of one history, read."""
        tokens = [list(completion.tokens) for completion in made]
        texts = self.tokenizer.batch_decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return [
            self._sample(row, ids, text, completion.log_prob, True)
            for ids, text, completion in zip(tokens, texts, made, strict=True)
        ]


def with_engine(recommender: GreamRecommender, engine: Any, beams: Beams = "own") -> GreamRecommender:
    """The same recommender, with its chains from an engine.

    Args:
        recommender: An opened checkpoint.
        engine: The same weights behind `TokenEngine`.
        beams: See `EngineRunner`.
    """
    made = GreamRecommender(recommender.parts)
    made.runner = EngineRunner(recommender.parts, engine, beams)
    return made
