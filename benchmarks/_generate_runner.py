"""Chains by `generate` of transformers, under the same constraint: what most code bases use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessorList

from genrec.decoding.batching import pad_left
from genrec.decoding.sampling import Completions
from gream.recommend.recommender import GreamRecommender
from gream.recommend.runner import Runner
from gream.recommend.sampling import SampledChain, SamplingConfig


class GenerateRunner(Runner):
    """A runner that draws with `generate`; the samples carry no log-probabilities."""

    def sample_batch(
        self, prompts: Sequence[Sequence[int]], n: int, config: SamplingConfig, **named: Any
    ) -> list[list[SampledChain]]:
        """As `Runner.sample_batch`, closed and constrained."""
        ids, mask = pad_left(prompts, self.pad_id)
        torch.manual_seed(config.seed)
        settings = GenerationConfig(
            do_sample=True, temperature=config.temperature, top_p=config.top_p, top_k=0, num_return_sequences=n,
            max_new_tokens=config.max_new_tokens, eos_token_id=self.end_id, pad_token_id=self.pad_id,
        )  # fmt: skip
        processors = LogitsProcessorList(self._processors(ids.shape[1], config, True, True))
        with torch.inference_mode():
            whole = self.model.generate(
                input_ids=ids, attention_mask=mask, generation_config=settings, logits_processor=processors
            )
        tokens = whole[:, ids.shape[1] :]
        ended = (tokens == self.end_id).long()
        drawn = Completions(tokens, ended.cumsum(1) - ended == 0, torch.zeros(len(tokens)))
        flat = self._read(named["numbers"], n, True, drawn)
        return [flat[start : start + n] for start in range(0, len(flat), n)]


def through_generate(recommender: GreamRecommender) -> GreamRecommender:
    """The recommender with its chains from `generate`."""
    made = GreamRecommender(recommender.parts)
    made.runner = GenerateRunner(recommender.parts)
    return made
