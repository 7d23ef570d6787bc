"""A language model of transformers behind `TokenEngine`: what vLLM does, slowly and in the open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from genrec.decoding.constraint import AnswerConstraint
from genrec.decoding.engines.answer_rows import AnswerRow, leave_one
from genrec.decoding.engines.protocol import AnswerSettings, Completion


class PlainEngine:
    """Scores and writes one sequence at a time."""

    def __init__(self, model: Any, constraint: AnswerConstraint | None = None) -> None:
        self.model, self.constraint = model, constraint
        self.rounds: list[int] = []

    def _next(self, prompt: Sequence[int]) -> torch.Tensor:
        with torch.inference_mode():
            return self.model(torch.tensor([list(prompt)])).logits[0, -1].float()

    def score(self, prompts: Sequence[Sequence[int]], tokens: Sequence[Sequence[int]]) -> list[list[float]]:
        self.rounds.append(len(prompts))
        return [self._next(p).log_softmax(-1)[list(asked)].tolist() for p, asked in zip(prompts, tokens, strict=True)]

    def complete(self, prompts: Sequence[Sequence[int]], n: int, settings: AnswerSettings) -> list[list[Completion]]:
        return [
            [self._write(list(prompt), settings.of(row, sample)) for sample in range(n)]
            for row, prompt in enumerate(prompts)
        ]

    def _write(self, prompt: list[int], settings: AnswerSettings) -> Completion:
        assert self.constraint is not None
        new: list[int] = []
        row, total = AnswerRow(settings, new, self.constraint), 0.0
        while len(new) < settings.max_tokens and new[-1:] != [self.constraint.eos_id]:
            left = leave_one(self._next(prompt + new).clone()[None], [row])[0]
            new.append(int(left.argmax()))
            total += float(left.max())
        return Completion(tuple(new), total)
