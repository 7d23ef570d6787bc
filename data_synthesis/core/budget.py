"""May the next request be paid for? Tokens and money spent, reserved for requests under way, and their caps."""

import asyncio
from dataclasses import dataclass

from data_synthesis.engines import Usage


class CapReached(Exception):
    """The next request might exceed a cap; finished answers are kept."""


@dataclass(frozen=True)
class Prices:
    """Money per million tokens, in any currency.

    Attributes:
        prompt: Price of a million prompt tokens.
        completion: Price of a million answer tokens.
    """

    prompt: float = 0.0
    completion: float = 0.0

    def of(self, usage: Usage) -> float:
        """The price of some tokens."""
        return (usage.prompt * self.prompt + usage.completion * self.completion) / 1e6


class Budget:
    """Counts what is spent; a request leaves only if its upper estimate fits below both caps.

    Args:
        prices: Money per token.
        max_cost: Most money; 0 = no cap.
        max_tokens: Most tokens; 0 = no cap.
        spent: What earlier runs of the same job have spent.
    """

    def __init__(self, prices: Prices, max_cost: float = 0, max_tokens: int = 0, spent: Usage | None = None) -> None:
        self.prices, self.max_cost, self.max_tokens = prices, max_cost, max_tokens
        self.spent = spent or Usage()
        self._reserved = Usage()
        self._changed = asyncio.Condition()

    @property
    def cost(self) -> float:
        """Money spent so far."""
        return self.prices.of(self.spent)

    async def reserve(self, most: Usage) -> None:
        """Sets an upper estimate aside, waiting for requests under way where their rest may make room.

        Raises:
            CapReached: It does not fit and nothing is under way.
        """
        async with self._changed:
            while not self._fits(self.spent + self._reserved + most):
                if self._reserved.total == 0:
                    raise CapReached(self._message(most))
                await self._changed.wait()
            self._reserved += most

    async def settle(self, most: Usage, used: Usage) -> None:
        """Replaces a reserved estimate by what the call has cost."""
        async with self._changed:
            self._reserved = Usage(self._reserved.prompt - most.prompt, self._reserved.completion - most.completion)
            self.spent += used
            self._changed.notify_all()

    def _fits(self, usage: Usage) -> bool:
        over_tokens = self.max_tokens and usage.total > self.max_tokens
        return not (over_tokens or (self.max_cost and self.prices.of(usage) > self.max_cost))

    def _message(self, most: Usage) -> str:
        return (
            f"{self.spent.total:,} tokens and {self.cost:.4f} spent; the next request may need {most.total:,} tokens "
            f"({self.prices.of(most):.4f}), more than max_tokens={self.max_tokens:,} or max_cost={self.max_cost} "
            "allow; raise the cap and type the same command again"
        )
