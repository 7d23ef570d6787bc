"""Which model server takes the next call? The healthy one with the least to do."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from genrec.serving.door import UpstreamError
from genrec.serving.upstream.process import ServerProcess

if TYPE_CHECKING:
    from genrec.serving.metrics import GatewayMetrics

logger = logging.getLogger(__name__)
JSON = {"content-type": "application/json"}
HEALTH_SECONDS = 5.0


@dataclass
class Replica:
    """One server.

    Attributes:
        url: Its address without a path.
        healthy: Whether it gets calls.
        inflight: Calls under way.
        failures: Code -> failed calls not yet reported to the metrics.
        last_used: Breaks ties between equally loaded servers.
    """

    url: str
    healthy: bool = False
    inflight: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    last_used: float = 0.0


class UpstreamAnswer:
    """An answer whose body is still to be read."""

    def __init__(self, response: httpx.Response, replica: Replica, pool: Pool) -> None:
        self._response, self._replica, self._pool, self._open = response, replica, pool, True
        self.status, self.headers = response.status_code, response.headers

    async def parts(self) -> AsyncIterator[bytes]:
        """The body, decompressed, as it comes; a server that dies in the middle ends it."""
        try:
            async for part in self._response.aiter_bytes():
                yield part
        except httpx.HTTPError as error:
            raise self._pool.failed(self._replica, error) from error

    async def read(self) -> bytes:
        """The whole body; closes the answer."""
        try:
            return b"".join([part async for part in self.parts()])
        finally:
            await self.close()

    async def close(self) -> None:
        """Give the connection back; closing before the end aborts the call at the server."""
        if self._open:
            self._open = False
            self._replica.inflight -= 1
            await self._response.aclose()


class Pool:
    """Replicas of one model.

    Args:
        urls: Addresses of the servers.
        read_seconds: Longest silence of a server within a call.
        connect_seconds: Longest wait for a connection.
        check_seconds: Time between two looks at /health.
        api_key: Sent to the servers, where they want one.
        launch: Processes behind the addresses that start and end with the pool.
    """

    def __init__(
        self,
        urls: Sequence[str],
        read_seconds: float = 30.0,
        connect_seconds: float = 2.0,
        check_seconds: float = 1.0,
        api_key: str = "",
        launch: Sequence[ServerProcess] = (),
    ) -> None:
        if not urls:
            raise ValueError("a pool needs at least one server address, e.g. http://127.0.0.1:8000")
        self.replicas = [Replica(url.rstrip("/").removesuffix("/v1")) for url in urls]
        self._times = httpx.Timeout(read_seconds, connect=connect_seconds, pool=read_seconds)
        self._check_seconds = check_seconds
        self._headers = {**JSON, **({"authorization": f"Bearer {api_key}"} if api_key else {})}
        self._launch = list(launch)
        self._client: httpx.AsyncClient | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open connections, look at every server once, and keep looking."""
        for server in self._launch:
            await server.start()
        limits = httpx.Limits(max_connections=512, max_keepalive_connections=64)
        self._client = httpx.AsyncClient(timeout=self._times, limits=limits, trust_env=False)
        await self.check()
        self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Stop looking and close the connections."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
        await asyncio.gather(*(server.close() for server in self._launch))

    def healthy(self) -> bool:
        """Whether any server takes calls."""
        return any(replica.healthy for replica in self.replicas)

    async def check(self) -> None:
        """Look at every server's /health."""
        await asyncio.gather(*(self._check(replica) for replica in self.replicas))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._check_seconds)
            await self.check()

    async def _check(self, replica: Replica) -> None:
        assert self._client is not None
        try:
            answer = await self._client.get(f"{replica.url}/health", timeout=HEALTH_SECONDS)
            fine = answer.status_code == 200
        except httpx.HTTPError:
            fine = False
        if fine != replica.healthy:
            logger.warning("model server %s is %s", replica.url, "healthy" if fine else "not healthy")
        replica.healthy = fine

    async def send(self, method: str, path: str, body: bytes = b"") -> UpstreamAnswer:
        """Call a server; where it cannot be reached, another one is tried.

        Args:
            method: HTTP method.
            path: Path of the OpenAI API, e.g. "/v1/completions".
            body: JSON text.

        Returns:
            Status, headers and the body still to be read.

        Raises:
            UpstreamError: No server is healthy, or the chosen ones failed; nothing was answered.
        """
        assert self._client is not None, "start the pool first"
        last: UpstreamError | None = None
        for replica in self._by_load():
            request = self._client.build_request(method, replica.url + path, content=body, headers=self._headers)
            replica.inflight += 1
            replica.last_used = time.monotonic()
            try:
                answer = UpstreamAnswer(await self._client.send(request, stream=True), replica, self)
            except httpx.HTTPError as error:
                replica.inflight -= 1
                last = self.failed(replica, error)
                if last.code == "upstream_timeout":
                    break  # a second slow server would double the wait
                continue
            except BaseException:
                replica.inflight -= 1
                raise
            if answer.status >= 500:
                await answer.close()
                last = self._broken(replica, answer.status)
                continue
            return answer
        raise last or UpstreamError("upstream_unavailable", "no model server is healthy")

    async def call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Post JSON and read JSON.

        Raises:
            UpstreamError: As `send`, or the server refused the call.
        """
        answer = await self.send("POST", path, json.dumps(body).encode())
        content = await answer.read()
        if answer.status != 200:
            raise UpstreamError("upstream_refused", f"the model server answered {answer.status}")
        return dict(json.loads(content))

    def failed(self, replica: Replica, error: Exception) -> UpstreamError:
        """Note a failed call; a server that cannot be reached gets no more calls until it is healthy again."""
        slow = isinstance(error, httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout)
        code = "upstream_timeout" if slow else "upstream_unavailable"
        replica.failures[code] = replica.failures.get(code, 0) + 1
        replica.healthy = replica.healthy and slow
        logger.warning("model server %s: %s", replica.url, type(error).__name__)
        return UpstreamError(code, "the model server is too slow" if slow else "the model server cannot be reached")

    def _broken(self, replica: Replica, status: int) -> UpstreamError:
        replica.failures["upstream_error"] = replica.failures.get("upstream_error", 0) + 1
        return UpstreamError("upstream_error", f"the model server answered {status}")

    def _by_load(self) -> list[Replica]:
        fit = [replica for replica in self.replicas if replica.healthy]
        return sorted(fit, key=lambda replica: (replica.inflight, replica.last_used))

    def report(self, metrics: GatewayMetrics) -> None:
        """Bring the metrics up to date."""
        for number, replica in enumerate(self.replicas):
            metrics.upstream_up.labels(str(number)).set(float(replica.healthy))
            metrics.upstream_busy.labels(str(number)).set(replica.inflight)
            for code, count in replica.failures.items():
                metrics.upstream_failures.labels(str(number), code).inc(count)
            replica.failures.clear()
