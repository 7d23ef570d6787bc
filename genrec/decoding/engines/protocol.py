"""What must an engine do? Score a few next tokens exactly, and draw chains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

Tokens = Sequence[int]


@dataclass(frozen=True)
class DrawnChain:
    """One sampled chain.

    Attributes:
        tokens: Its tokens, the closing marker or the end token included when it was reached.
        log_prob: Sum of their log-probabilities at temperature 1 (nats).
        closed: True when it ended with the closing marker.
    """

    tokens: tuple[int, ...]
    log_prob: float
    closed: bool


@dataclass(frozen=True)
class ChainSettings:
    """How chains are drawn.

    Attributes:
        temperature: 0 is greedy.
        top_p: Nucleus share.
        top_k: Most probable tokens kept before the nucleus; 0 keeps all. On a CPU a small number spares vLLM the sort
            over the vocabulary, which otherwise takes most of the time.
        max_tokens: Longest chain, marker included.
        seed: Of the draw.
        forbidden: Token ids that are never drawn (padded rows; the end token where a chain must be closed).
    """

    temperature: float = 0.7
    top_p: float = 0.9
    top_k: int = 0
    max_tokens: int = 96
    seed: int = 0
    forbidden: tuple[int, ...] = ()


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

    def draw(
        self, prompts: Sequence[Tokens], n: int, marker: Tokens, settings: ChainSettings
    ) -> list[list[DrawnChain]]:
        """n chains behind each prompt, each up to the closing marker, the end token or the limit."""
        ...
