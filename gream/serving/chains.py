"""Where do chains come from? What a source of chains is, and the model in this process as one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from genrec.serving.batching import MicroBatcher
from genrec.serving.door import OnText
from gream.prompts.output import THINK_CLOSE, THINK_OPEN
from gream.recommend.runner import Runner
from gream.recommend.sampling import SampledChain, SamplingConfig
from gream.recommend.watch import ChainWatch


@dataclass(frozen=True)
class ChainJob:
    """Chains wanted for one history.

    Attributes:
        prompt: Token ids behind which a chain follows.
        n: Chains; one is greedy.
        sampling: Temperature, nucleus, budget, seed.
        alone: The number of a job that must have no neighbours (its draw can be repeated); 0 otherwise.
        on_text: Hears the first chain.
        gone: Set when nobody waits any more.
    """

    prompt: tuple[int, ...]
    n: int
    sampling: SamplingConfig
    alone: int = 0
    on_text: OnText | None = None
    gone: threading.Event = field(default_factory=threading.Event, compare=False)


class ChainSource(Protocol):
    """Draws chains."""

    async def start(self) -> None:
        """Begin to work."""
        ...

    async def close(self) -> None:
        """Stop."""
        ...

    def ready(self) -> bool:
        """Whether chains can be drawn now."""
        ...

    async def draw(self, job: ChainJob) -> list[SampledChain]:
        """n chains; where the source writes no answer `item` is None and `format_ok` means a closed chain."""
        ...


class LocalChains:
    """The model in this process; waiting jobs share a batch.

    Args:
        runner: Model, tokenizer, constraint.
        max_batch: Jobs per batch.
        on_batch: Told the size of every batch.
    """

    def __init__(self, runner: Runner, max_batch: int, on_batch: Callable[[int], None] | None = None) -> None:
        self._runner = runner
        self._batcher: MicroBatcher[ChainJob, list[SampledChain]] = MicroBatcher(
            self._draw, max_batch, _shared_settings, "chains", on_batch
        )

    async def start(self) -> None:
        """Start the thread."""
        self._batcher.start()

    async def close(self) -> None:
        """Draw what waits, then stop."""
        await asyncio.to_thread(self._batcher.close)

    def ready(self) -> bool:
        """Whether the thread runs."""
        return self._batcher.alive()

    async def draw(self, job: ChainJob) -> list[SampledChain]:
        """n chains with an answer each; cancelling ends their rows at the next token."""
        try:
            return await self._batcher.submit(job)
        except asyncio.CancelledError:
            job.gone.set()
            raise

    def _draw(self, jobs: list[ChainJob]) -> list[list[SampledChain]]:
        watch = ChainWatch(self._runner.tokenizer, [_until_closed(job.on_text) for job in jobs],
                           [job.gone.is_set for job in jobs])  # fmt: skip
        first = jobs[0]
        return self._runner.sample_batch([job.prompt for job in jobs], first.n, first.sampling, watch=watch)


def _shared_settings(job: ChainJob) -> tuple[Any, ...]:
    """What jobs of one batch must have in common; the seed of a shared batch is its first job's."""
    config = job.sampling
    return job.n, config.temperature, config.top_p, config.max_new_tokens, job.alone


def _until_closed(listener: OnText | None) -> OnText | None:
    """Pass a chain on up to its closing tag, without the tags."""
    if listener is None:
        return None
    whole = [""]

    def hear(text: str) -> None:
        before = spoken(whole[0])
        whole[0] += text
        if new := spoken(whole[0])[len(before) :]:
            listener(new)

    return hear


def spoken(text: str) -> str:
    """What of an unfinished chain can be shown: no tags, and nothing that may still become one.

    Args:
        text: The chain so far; longer texts give longer results that begin alike.
    """
    if THINK_OPEN.startswith(text.lstrip()):
        return ""
    body, closed, _ = text.lstrip().removeprefix(THINK_OPEN).lstrip().partition(THINK_CLOSE)
    cuts = () if closed else range(len(THINK_CLOSE) - 1, 0, -1)
    cut = next((length for length in cuts if body.endswith(THINK_CLOSE[:length])), 0)
    return body[: len(body) - cut].rstrip()
