"""What must an engine do? Score a few next tokens exactly, and write chains with an existing item behind each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

Tokens = Sequence[int]


@dataclass(frozen=True)
class Completion:
    """What was written behind a prompt.

    Attributes:
        tokens: Chain, tags, item and end, as far as the budget reached.
        log_prob: Sum of their log-probabilities at temperature 1 under the constraint (nats).
    """

    tokens: tuple[int, ...]
    log_prob: float


@dataclass(frozen=True)
class AnswerSettings:
    """How completions are drawn.

    Attributes:
        temperature: 0 is greedy.
        top_p: Nucleus share.
        max_tokens: Longest completion, answer included.
        close: True forbids the end in an open chain and closes it at `deadline`.
        deadline: Tokens after which an open chain is closed.
        seed: Of the draw.
        padded: First and end of the output rows without a token, which are never drawn.
    """

    temperature: float = 0.7
    top_p: float = 0.9
    max_tokens: int = 96
    close: bool = True
    deadline: int = 80
    seed: int = 0
    padded: tuple[int, int] = (0, 0)

    def of(self, row: int, sample: int) -> AnswerSettings:
        """The settings of one sample of one prompt: the seed is its own."""
        return replace(self, seed=self.seed + 1_000_003 * row + 7_919 * sample)


class TokenEngine(Protocol):
    """A language model that takes many requests at once."""

    def score(self, prompts: Sequence[Tokens], tokens: Sequence[Tokens]) -> list[list[float]]:
        """Log-probabilities of some next tokens.

        Args:
            prompts: Token ids, at least one each.
            tokens: Per prompt the next tokens asked for, at least one.

        Returns:
            Per prompt one value per asked token: nats, under the full softmax at temperature 1.
        """
        ...

    def complete(self, prompts: Sequence[Tokens], n: int, settings: AnswerSettings) -> list[list[Completion]]:
        """n completions behind each prompt: a free chain, and behind its closing marker an item of the catalogue."""
        ...
