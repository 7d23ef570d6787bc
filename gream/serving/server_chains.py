"""How do OpenAI-compatible servers such as vLLM's draw chains? One call for n chains, read as it comes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from genrec.serving.door import UpstreamError
from genrec.serving.upstream.pool import Pool, UpstreamAnswer
from gream.prompts.output import THINK_CLOSE
from gream.recommend.runner import inner_chain
from gream.recommend.sampling import SampledChain
from gream.serving.chains import ChainJob, spoken


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
