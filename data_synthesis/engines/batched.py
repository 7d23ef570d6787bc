"""How do single prompts become batches? Models in this process answer many at once; the job still asks one by one."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from data_synthesis.config import EngineConfig
from data_synthesis.engines import Answer, Prompt

Generate = Callable[[list[Prompt]], list[Answer]]
_GATHER = 0.02  # seconds that a batch waits for company


class BatchedEngine:
    """Collects prompts and answers them together in a thread.

    Args:
        config: Model and sampling.
        load: Loads the model and returns what answers a batch; called in the thread, at the first prompt.
    """

    reads_words = True
    remote = False
    at_once = 0

    def __init__(self, config: EngineConfig, load: Callable[[EngineConfig], Generate]) -> None:
        self.config, self._load = config, load
        self.name = config.model
        self.max_output_tokens = config.max_output_tokens
        self.settings: Mapping[str, Any] = {
            "engine": config.engine,
            "temperature": config.temperature,
            "max_output_tokens": config.max_output_tokens,
        }
        self._generate: Generate | None = None
        self._waiting: list[tuple[Prompt, asyncio.Future[Answer]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def complete(self, prompt: Prompt) -> Answer:
        """Answers one prompt (see `Engine`)."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((prompt, future))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await future

    async def close(self) -> None:
        """Frees the model."""
        if self._runner is not None:
            await asyncio.gather(self._runner, return_exceptions=True)
        if (shutdown := getattr(self._generate, "shutdown", None)) is not None:
            await asyncio.to_thread(shutdown)
        self._generate = None

    async def _run(self) -> None:
        """Answers batches until nobody waits."""
        await asyncio.sleep(_GATHER)
        while self._waiting:
            batch, self._waiting = self._waiting[: self.config.batch], self._waiting[self.config.batch :]
            try:
                answers = await asyncio.to_thread(self._answer, [prompt for prompt, _ in batch])
            except Exception as error:  # whoever waits hears of it; the next batch may fare better
                _fail(batch, error)
                continue
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
            await asyncio.sleep(0)

    def _answer(self, prompts: list[Prompt]) -> list[Answer]:
        if self._generate is None:
            self._generate = self._load(self.config)
        return self._generate(prompts)


def _fail(batch: list[tuple[Prompt, "asyncio.Future[Answer]"]], error: Exception) -> None:
    """Hands an error to everybody who waits for the batch."""
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
