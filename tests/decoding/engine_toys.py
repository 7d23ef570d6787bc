"""A language model of transformers behind `TokenEngine`: what vLLM does, slowly and in the open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from genrec.decoding.engines.protocol import ChainSettings, DrawnChain


class PlainEngine:
    """Scores and draws one sequence at a time."""

    def __init__(self, model: Any, end_id: int = -1) -> None:
        self.model, self.end_id = model, end_id
        self.rounds: list[int] = []

    def _next(self, prompt: Sequence[int]) -> torch.Tensor:
        with torch.inference_mode():
            return self.model(torch.tensor([list(prompt)])).logits[0, -1].float().log_softmax(-1)

    def score(self, prompts: Sequence[Sequence[int]], tokens: Sequence[Sequence[int]]) -> list[list[float]]:
        self.rounds.append(len(prompts))
        return [self._next(p)[list(asked)].tolist() for p, asked in zip(prompts, tokens, strict=True)]

    def draw(
        self, prompts: Sequence[Sequence[int]], n: int, marker: Sequence[int], settings: ChainSettings
    ) -> list[list[DrawnChain]]:
        generator = torch.Generator().manual_seed(settings.seed)
        return [[self._chain(list(p), list(marker), settings, generator) for _ in range(n)] for p in prompts]

    def _chain(self, prompt: list[int], marker: list[int], settings: ChainSettings, generator: Any) -> DrawnChain:
        new: list[int] = []
        total = 0.0
        while len(new) < settings.max_tokens and new[-1:] != [self.end_id]:
            log_probs = self._next(prompt + new)
            allowed = log_probs.clone()
            if settings.forbidden:
                allowed[list(settings.forbidden)] = float("-inf")
            greedy = settings.temperature == 0
            share = (allowed / (settings.temperature or 1.0)).softmax(-1)
            token = int(allowed.argmax()) if greedy else int(torch.multinomial(share, 1, generator=generator))
            new.append(token)
            total += float(log_probs[token])
            if new[-len(marker) :] == marker:
                return DrawnChain(tuple(new), total, True)
        return DrawnChain(tuple(new), total, False)
