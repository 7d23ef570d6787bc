"""Where do chains come from? The model in this process, or OpenAI-compatible servers such as vLLM's."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from genrec.serving.batching import MicroBatcher
from genrec.serving.door import OnText, UpstreamError
from genrec.serving.upstream.pool import Pool, UpstreamAnswer
from gream.prompts.output import THINK_CLOSE, THINK_OPEN
from gream.recommend.runner import Runner, inner_chain
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


class ServerChains:
    """Chains from OpenAI-compatible servers; their answers are ranked by the beams of this process.

    Args:
        pool: The servers.
        max_new_tokens: Tokens of a chain at most.
        forbidden: Output rows that must never be drawn: those without a token, and the end token, for a chain ends with
            its closing tag or its budget.
    """

    def __init__(self, pool: Pool, max_new_tokens: int, forbidden: Sequence[int] = ()) -> None:
        self._pool, self._budget, self._model = pool, max_new_tokens, ""
        self._bias = {str(row): -100.0 for row in forbidden}

    async def start(self) -> None:
        """Nothing to start: the gateway starts the pool."""

    async def close(self) -> None:
        """Nothing to stop."""

    def ready(self) -> bool:
        """Whether any server is healthy."""
        return self._pool.healthy()

    async def draw(self, job: ChainJob) -> list[SampledChain]:
        """n chains, cut at their closing tag; cancelling ends the call at the server."""
        body = self._body(job, await self._name())
        answer = await self._pool.send("POST", "/v1/completions", json.dumps(body).encode())
        try:
            if answer.status != 200:
                raise UpstreamError("upstream_refused", f"the model server answered {answer.status}")
            return await _collect(answer, job)
        finally:
            await answer.close()

    async def _name(self) -> str:
        """The name under which the servers know the model."""
        if not self._model:
            answer = await self._pool.send("GET", "/v1/models")
            content = await answer.read()
            if answer.status != 200:
                raise UpstreamError("upstream_refused", f"the model server answered {answer.status}")
            self._model = str(json.loads(content)["data"][0]["id"])
        return self._model

    def _body(self, job: ChainJob, model: str) -> dict[str, Any]:
        config = job.sampling
        return {
            "model": model, "prompt": list(job.prompt), "n": job.n, "max_tokens": self._budget, "seed": config.seed,
            "temperature": config.temperature, "top_p": config.top_p if config.temperature else 1.0,
            "stop": [THINK_CLOSE], "stream": job.on_text is not None, "logprobs": 0, "skip_special_tokens": False,
            **({"logit_bias": self._bias} if self._bias else {}),
        }  # fmt: skip


async def _collect(answer: UpstreamAnswer, job: ChainJob) -> list[SampledChain]:
    """Put the pieces of n chains together: one event per token where somebody listens, else one answer.

    An event per token costs server and gateway more than the token itself, on a CPU several times as much.
    """
    texts, sums, tokens, closed = [""] * job.n, [0.0] * job.n, [0] * job.n, [False] * job.n
    async for event in whole(answer) if job.on_text is None else events(answer.parts()):
        if not isinstance(event, dict) or "error" in event:
            raise UpstreamError("upstream_error", "the model server failed in the middle of an answer")
        for choice in event.get("choices", ()):
            number = int(choice["index"])
            before, texts[number] = spoken(texts[number]), texts[number] + choice["text"]
            drawn = (choice.get("logprobs") or {}).get("token_logprobs") or ()
            sums[number] += sum(value for value in drawn if value is not None)
            tokens[number] += len(drawn)
            closed[number] |= choice.get("finish_reason") == "stop"
            if number == 0 and job.on_text is not None and (new := spoken(texts[number])[len(before) :]):
                job.on_text(new)
    return [
        SampledChain(0, texts[i], inner_chain(texts[i]), None, sums[i], tokens[i], closed[i], False)
        for i in range(job.n)
    ]


async def whole(answer: UpstreamAnswer) -> AsyncIterator[dict[str, Any]]:
    """The JSON of an answer that comes in one piece.

    Raises:
        UpstreamError: It is not JSON.
    """
    try:
        yield json.loads(await answer.read())
    except json.JSONDecodeError as error:
        raise UpstreamError("upstream_error", "the model server sent an answer that is not JSON") from error


async def events(parts: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    """The JSON of server-sent events, up to [DONE].

    Args:
        parts: Bytes as they come, cut anywhere.

    Raises:
        UpstreamError: The stream ended before [DONE], or an event is not JSON.
    """
    rest = b""
    async for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            data = line.strip().removeprefix(b"data:").strip()
            if not line.startswith(b"data:") or not data:
                continue
            if data == b"[DONE]":
                return
            try:
                yield json.loads(data)
            except json.JSONDecodeError as error:
                raise UpstreamError("upstream_error", "the model server sent an event that is not JSON") from error
    raise UpstreamError("upstream_unavailable", "the model server broke off in the middle of an answer")
