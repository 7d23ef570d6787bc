"""How does GREAM answer many requests at once? Beams and chains in shared batches, lists put together per request.

Direct: one beam. Reasoning: chains, then their votes or a beam behind the best chain. Mixed: the first m items from
reasoning, the rest direct; the direct beam runs while the chain is written.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.serving.door import Answer, Listed, OnText, Page, Question
from genrec.serving.metrics import GatewayMetrics
from gream.recommend import GreamRecommender
from gream.recommend.lists import Ranked, merge, vote
from gream.recommend.sampling import SampledChain
from gream.recommend.scenario import MODES, SCENARIOS
from gream.serving.beams import BeamJob, BeamServer
from gream.serving.chains import ChainJob, ChainSource, LocalChains
from gream.serving.inserts import Inserter
from gream.serving.options import EngineOptions
from gream.serving.reading import ChainReader


class GreamEngine:
    """A checkpoint at work behind the gateway; see `genrec.serving.door.Engine`.

    Args:
        recommender: The checkpoint.
        options: Batches, beams, sampling.
        metrics: Where batch sizes are counted.
        chains: Another source of chains than the model in this process.
        name: Of the model, put into every answer.
        inserter: Takes new items; None refuses them.
    """

    modes: Sequence[str] = MODES
    lanes: Mapping[str, str] = {"direct": "direct", "reasoning": "reasoning", "mixed": "reasoning"}
    scenarios: Mapping[str, Page] = {name: Page(s.mode, s.trace, s.need) for name, s in SCENARIOS.items()}

    def __init__(
        self,
        recommender: GreamRecommender,
        options: EngineOptions | None = None,
        metrics: GatewayMetrics | None = None,
        chains: ChainSource | None = None,
        name: str = "gream",
        inserter: Inserter | None = None,
    ) -> None:
        self._inserter, self._recommender, self._metrics = inserter, recommender, metrics
        self.takes_items = inserter is not None
        self.options = options or EngineOptions()
        self.catalogue = recommender.catalogue
        self.similarity: NDArray[np.int64] | None = recommender.item_codes.codes
        manifest = recommender.parts.manifest
        about: dict[str, Any] = {
            key: manifest[key] for key in ("stage", "dataset", "backbone", "seed") if key in manifest
        }
        self.facts: Mapping[str, Any] = {"model": name, **about, "index_hash": recommender.item_codes.hash}
        self._runner, self._reader = recommender.runner, ChainReader(recommender)
        counts = None if metrics is None else metrics.batches
        seen = {part: None if counts is None else counts.labels(part).observe for part in ("beams", "chains")}
        self._beams = BeamServer(self._runner, self.options.max_batch, seen["beams"])
        self._chains = chains or LocalChains(self._runner, self.options.max_chains, seen["chains"])
        self._numbers = itertools.count(1)

    async def start(self) -> None:
        """Start the threads and answer one request, so that the first caller does not pay for the warm-up."""
        self._beams.batcher.start()
        await self._chains.start()
        await self.answer(Question((0,), "direct", 1))

    async def close(self) -> None:
        """Answer what waits, then stop."""
        await self._chains.close()
        await asyncio.to_thread(self._beams.batcher.close)

    def with_items(self, records: Sequence[Mapping[str, Any]]) -> GreamEngine:
        """See `genrec.serving.door.Grower.with_items`."""
        assert self._inserter is not None, "the gateway asks takes_items first"
        longer = self._inserter.insert(self._recommender, records)
        chains = None if isinstance(self._chains, LocalChains) else self._chains
        return GreamEngine(longer, self.options, self._metrics, chains, self.facts["model"], self._inserter)

    def ready(self) -> Mapping[str, bool]:
        """Direct mode and reasoning mode."""
        return {"direct": self._beams.batcher.alive(), "reasoning": self._chains.ready()}

    async def answer(self, question: Question, on_text: OnText | None = None) -> Answer:
        """See `genrec.serving.door.Engine.answer`."""
        number = next(self._numbers) if question.alone else 0
        started = time.perf_counter()
        if question.mode == "direct":
            found = await self._direct(question, number)
            return Answer(self._listed(found), timing={"beam": 1000 * (time.perf_counter() - started)})
        direct = asyncio.ensure_future(self._direct(question, number)) if question.mode == "mixed" else None
        try:
            samples = await self._sample(question, number, on_text)
            drawn = time.perf_counter()
            answers = await self._answers(question, samples, number)
            reasoned, chain = await self._reasoned(question, answers, number)
            found = reasoned if direct is None else merge(reasoned, await direct, question.k)
        finally:
            if direct is not None:
                direct.cancel()
        timing = {"chain": 1000 * (drawn - started), "beam": 1000 * (time.perf_counter() - drawn)}
        return Answer(
            self._listed(found), self._reader.readable(chain), self._reader.stages(chain),
            [self._facts_of(sample, answer) for sample, answer in zip(samples, answers, strict=True)], timing,
            sum(sample.num_tokens for sample in samples),
        )  # fmt: skip

    def _width(self, k: int) -> int:
        """Beams for a list of k: the usual number, or the next multiple of it."""
        usual = self.options.num_beams
        return usual * -(-k // usual)

    def _job(self, prompt: list[int], question: Question, k: int, number: int) -> BeamJob:
        return BeamJob(tuple(prompt), k, self._width(k), question.exclude, question.within, question.within_key, number)

    async def _direct(self, question: Question, number: int) -> list[Ranked]:
        prompt = self._runner.direct_ids(question.history)
        return await self._beams.search(self._job(prompt, question, question.k, number))

    async def _sample(self, question: Question, number: int, on_text: OnText | None) -> list[SampledChain]:
        """The chains; a single one is greedy."""
        n = question.num_samples
        config = replace(self.options.sampling, seed=question.seed)
        config = replace(config, temperature=0.0) if n == 1 else config
        prompt = tuple(self._runner.reasoning_ids(question.history))
        return await self._chains.draw(ChainJob(prompt, n, config, number, on_text))

    async def _reasoned(
        self, question: Question, answers: list[tuple[int | None, float, str]], number: int
    ) -> tuple[list[Ranked], str]:
        """The reasoned part of a list, and the chain in front of it."""
        wanted = question.reasoned if question.mode == "mixed" else question.k
        if wanted == 0:
            return [], answers[0][2]
        reasoned, chain = vote(answers, wanted, lambda item: self._may_list(question, item))
        if len(reasoned) < wanted:
            behind = await self._behind(question, chain, wanted, number)
            reasoned = merge(reasoned, behind, wanted)
        return reasoned, chain

    async def _answers(
        self, question: Question, samples: list[SampledChain], number: int
    ) -> list[tuple[int | None, float, str]]:
        """(item, log-probability, chain) per chain; a chain without an answer gets the best item behind it."""
        if len(samples) == 1 or any(sample.item is not None for sample in samples):
            return [(sample.item, sample.log_prob, sample.chain) for sample in samples]
        best = await asyncio.gather(*(self._behind(question, sample.chain, 1, number) for sample in samples))
        pairs = zip(samples, best, strict=True)
        return [(f[0].item if f else None, s.log_prob + (f[0].score if f else 0.0), s.chain) for s, f in pairs]

    async def _behind(self, question: Question, chain: str, k: int, number: int) -> list[Ranked]:
        prompt = self._runner.answer_ids(question.history, chain)
        return await self._beams.search(self._job(prompt, question, k, number), chain)

    def _may_list(self, question: Question, item: int) -> bool:
        return item not in question.exclude and (question.within is None or bool(question.within[item]))

    def _listed(self, ranked: list[Ranked]) -> list[Listed]:
        reasons = {entry.chain: self._reader.reason(entry.chain) for entry in ranked}
        return [
            Listed(e.item, self._runner.sid_text(e.item), e.score, reasons[e.chain], e.votes, e.source) for e in ranked
        ]

    def _facts_of(self, sample: SampledChain, answer: tuple[int | None, float, str]) -> dict[str, Any]:
        """One chain for the audit, with the item that it voted for."""
        item, log_prob, _ = answer
        return {
            "text": sample.text, "answer": None if item is None else self.catalogue.item_ids[item],
            "log_prob": log_prob, "tokens": sample.num_tokens, "format_ok": sample.format_ok and item is not None,
        }  # fmt: skip
