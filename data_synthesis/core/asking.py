"""How is one question put to an engine? Budget, limits, timeout and retries with jitter around one call."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from data_synthesis.core.budget import Budget, Prices
from data_synthesis.core.limits import Limits
from data_synthesis.engines import Answer, Engine, Prompt, Transient, Usage

logger = logging.getLogger(__name__)
RETRY_AFTER_MOST = 600.0  # a server that asks for more seconds than this is asked again all the same


@dataclass(frozen=True)
class JobConfig:
    """How hard a job may work.

    Raises:
        ValueError: A value breaks its rule.
    """

    concurrency: int = field(default=32, metadata={"help": "most requests under way at once"})
    requests_per_minute: int = field(default=0, metadata={"help": "most requests per minute; 0 = no limit"})
    tokens_per_minute: int = field(
        default=0, metadata={"help": "most prompt and answer tokens per minute, estimated beforehand; 0 = no limit"}
    )
    timeout: float = field(default=120.0, metadata={"help": "seconds until a request counts as lost"})
    retries: int = field(default=6, metadata={"help": "times a lost or refused request is sent again"})
    retry_wait: float = field(default=1.0, metadata={"help": "seconds before the first retry; doubles, with jitter"})
    max_cost: float = field(default=0.0, metadata={"help": "stop before more money than this is spent; 0 = no cap"})
    max_tokens: int = field(default=0, metadata={"help": "stop before more tokens than this are spent; 0 = no cap"})
    price_in: float = field(default=0.0, metadata={"help": "price of a million prompt tokens"})
    price_out: float = field(default=0.0, metadata={"help": "price of a million answer tokens"})

    def __post_init__(self) -> None:
        for name, least in (("concurrency", 1), ("retries", 0), ("max_cost", 0), ("max_tokens", 0), ("price_in", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be at least {least}")
        if self.timeout <= 0 or self.retry_wait <= 0:
            raise ValueError(f"timeout {self.timeout} and retry_wait {self.retry_wait} must be above 0 seconds")
        if self.max_cost and not (self.price_in or self.price_out):
            raise ValueError(f"max_cost is {self.max_cost}, but price_in and price_out are 0: set the prices")

    @property
    def prices(self) -> Prices:
        """Money per token."""
        return Prices(self.price_in, self.price_out)


class Asker:
    """Puts questions to an engine within the limits of a job.

    Args:
        engine: Who answers.
        config: Limits, retries and caps.
        spent: Tokens that earlier runs of the job have spent.
        on_retry: Called before each wait for another try.
    """

    def __init__(self, engine: Engine, config: JobConfig, spent: Usage, on_retry: Callable[[], None]) -> None:
        self.engine, self.config = engine, config
        self.budget = Budget(config.prices, config.max_cost, config.max_tokens, spent)
        self.limits = Limits(config.requests_per_minute, config.tokens_per_minute)
        self._on_retry = on_retry
        self._jitter = wait_exponential_jitter(config.retry_wait, max=60, jitter=config.retry_wait)

    async def ask(self, prompt: Prompt) -> Answer:
        """Returns the answer to one prompt.

        Raises:
            EngineError: As the engine raised it; `Transient` after the last retry.
            CapReached: The budget does not allow it.
        """
        if not self.engine.reads_words:
            return await self.engine.complete(prompt)
        retrying = AsyncRetrying(
            stop=stop_after_attempt(self.config.retries + 1),
            wait=self._wait,
            retry=retry_if_exception_type(Transient),
            before_sleep=lambda _: self._on_retry(),
            reraise=True,
        )
        return await retrying(self._once, prompt)

    async def _once(self, prompt: Prompt) -> Answer:
        """One call; a prompt that may have been billed without an answer counts as spent."""
        most = Usage(prompt.estimated_tokens, self.engine.max_output_tokens * prompt.requests)
        await self.budget.reserve(most)
        used = Usage()
        try:
            for _ in range(prompt.requests):
                await self.limits.admit(most.total // prompt.requests)
            async with asyncio.timeout(self.config.timeout if self.engine.remote else None):
                answer = await self.engine.complete(prompt)
            used = answer.usage
            return answer
        except TimeoutError:
            used = Usage(most.prompt)
            raise Transient(f"no answer within {self.config.timeout} seconds", billed=True) from None
        except Transient as error:
            used = Usage(most.prompt) if error.billed else used
            if error.retry_after:
                self.limits.pause(min(error.retry_after, RETRY_AFTER_MOST))
            raise
        finally:
            await self.budget.settle(most, used)

    def _wait(self, state: RetryCallState) -> float:
        """Seconds before the next try: jitter on top of what the server asks for."""
        error = state.outcome.exception() if state.outcome else None
        asked = min(getattr(error, "retry_after", None) or 0.0, RETRY_AFTER_MOST)
        if asked:
            return asked + float(self._jitter(state)) % self.config.retry_wait
        return float(self._jitter(state))
