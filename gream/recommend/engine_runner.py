"""How does a checkpoint answer through a generation engine (vLLM) instead of `generate`? The same runner, other legs.

Legend: N histories, k list length, n samples per history.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genrec.decoding.engines.answers import draw_items
from genrec.decoding.engines.beam import engine_beam_search
from genrec.decoding.engines.protocol import ChainSettings, DrawnChain, TokenEngine
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
        top_k: See `ChainSettings.top_k`.
    """

    def __init__(self, parts: Parts, engine: TokenEngine, beams: Beams = "own", top_k: int = 0) -> None:
        super().__init__(parts)
        if beams not in ("own", "engine"):
            raise ValueError(f"beams='{beams}' does not exist; choose 'own' or 'engine'")
        self.engine, self.beams, self.top_k = engine, beams, top_k
        rows = int(self.model.get_output_embeddings().weight.shape[0])
        self.padded = tuple(range(len(self.tokenizer), rows))

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
        settings = self._settings(config, close)
        drawn = self.engine.draw(prompts, n, self.constraint.start, settings)
        flat = [(row, chain) for row, chains in enumerate(drawn) for chain in chains]
        tokens, sums = self._answered(prompts, flat, settings, close, config.max_new_tokens)
        texts = self.tokenizer.batch_decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        samples = [
            self._sample(row, ids, text, total, True)
            for (row, _), ids, text, total in zip(flat, tokens, texts, sums, strict=True)
        ]
        return [samples[start : start + n] for start in range(0, len(samples), n)]

    def _settings(self, config: SamplingConfig, close: bool) -> ChainSettings:
        """The engine's part of a draw; an open chain must not end where it has to be closed."""
        budget = (
            config.max_new_tokens - self.answer_tokens + len(self.constraint.start) if close else config.max_new_tokens
        )
        forbidden = (*self.padded, self.end_id) if close else self.padded
        return ChainSettings(config.temperature, config.top_p, self.top_k, budget, config.seed, forbidden)

    def _answered(
        self,
        prompts: Sequence[Sequence[int]],
        flat: Sequence[tuple[int, DrawnChain]],
        settings: ChainSettings,
        close: bool,
        budget: int,
    ) -> tuple[list[list[int]], list[float]]:
        """Completions with an item behind every chain that has room for one, and their log-probabilities."""
        tokens = [self._closed(chain, close, settings.max_tokens) for _, chain in flat]
        sums = [chain.log_prob for _, chain in flat]
        marker, prefix = self.constraint.start, list(self.constraint.prefix)
        asked = [i for i, ids in enumerate(tokens) if tuple(ids[-len(marker) :]) == marker]
        if asked:
            opened = [[*prompts[flat[i][0]], *tokens[i], *prefix] for i in asked]
            random = np.random.default_rng(settings.seed)
            for i, (sid, total) in zip(
                asked, draw_items(self.engine, opened, self.trie, settings, random), strict=True
            ):
                tokens[i] += [*prefix, *sid, *self.constraint.ending]
                sums[i] += total
        return [ids[:budget] for ids in tokens], sums

    def _closed(self, chain: DrawnChain, close: bool, limit: int) -> list[int]:
        """A chain's tokens; one that must be closed and is not gets the marker."""
        tokens, marker = list(chain.tokens), list(self.constraint.start)
        return tokens if chain.closed or not close else [*tokens[: limit - len(marker)], *marker]


def with_engine(recommender: GreamRecommender, engine: Any, beams: Beams = "own", top_k: int = 0) -> GreamRecommender:
    """The same recommender, with its chains from an engine.

    Args:
        recommender: An opened checkpoint.
        engine: The same weights behind `TokenEngine`.
        beams: See `EngineRunner`.
        top_k: See `ChainSettings.top_k`.
    """
    made = GreamRecommender(recommender.parts)
    made.runner = EngineRunner(recommender.parts, engine, beams, top_k)
    return made
