"""What stands before every route? Request id, drain, API key, body limit, log line and the last resort against 500s."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import time
import uuid
from typing import TYPE_CHECKING, Any

from genrec.serving.errors import ApiError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from genrec.serving.gateway import Gateway

logger = logging.getLogger(__name__)
OPEN = ("/", "/health", "/ready", "/docs", "/openapi.json")
"""Paths that need no key, as the pages of doors: they show nothing of the catalogue or of users."""
HARDENING = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
)


class KeyRing:
    """The accepted API keys.

    Args:
        keys: The keys; none means that every caller is let in.
    """

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._digests = [hashlib.sha256(key.encode()).digest() for key in keys]

    def admits(self, offered: str) -> bool:
        """Whether a key is accepted; takes the same time for every wrong one."""
        digest = hashlib.sha256(offered.encode("utf-8", "surrogatepass")).digest()
        fits = [hmac.compare_digest(digest, known) for known in self._digests]
        return any(fits) or not fits


class Guard:
    """ASGI middleware around the application.

    Args:
        app: The application.
        gateway: Whose limits hold.
    """

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app, self._gateway = app, gateway
        self._keys = KeyRing(gateway.config.api_keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["request_id"] = f"req-{uuid.uuid4().hex}"
        call = _Call(scope, send)
        try:
            self._check_door(scope)
            await self._app(scope, await self._with_body(scope, receive), call.send)
        except ApiError as error:
            await self._refuse(error, scope, receive, call)
        except Exception as error:  # last resort: the reason goes to the log, not to the caller
            logger.error("request %s failed: %s", scope["request_id"], type(error).__name__, exc_info=error)
            await self._refuse(ApiError(500, "internal", "the server failed; the log knows why"), scope, receive, call)
        finally:
            self._note(scope, call)

    def _check_door(self, scope: Scope) -> None:
        """Refuse callers without a key, and everybody during the drain."""
        path, config = scope["path"], self._gateway.config
        if self._gateway.draining and path not in ("/health", "/metrics", "/ready"):
            raise ApiError(503, "draining", "this server is shutting down", retry_after=1.0)
        if path in OPEN or path in self._gateway.pages or not config.api_keys or scope["method"] == "OPTIONS":
            return
        if not self._keys.admits(_offered_key(dict(scope["headers"]))):
            raise ApiError(401, "bad_api_key", "send a valid key as `Authorization: Bearer <key>` or `X-API-Key`")

    async def _with_body(self, scope: Scope, receive: Receive) -> Receive:
        """Read the whole body under the limits of size and time; the application gets it in one piece."""
        config = self._gateway.config
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if re.fullmatch(rb"\d+", length) and int(length) > config.max_body_bytes:
            raise _too_large(config.max_body_bytes)
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return receive
        try:
            async with asyncio.timeout(config.body_seconds):
                body = await _read(receive, config.max_body_bytes)
        except TimeoutError:
            raise ApiError(408, "body_timeout", f"the body did not arrive within {config.body_seconds:g} s") from None
        return _replay(body, receive)

    async def _refuse(self, error: ApiError, scope: Scope, receive: Receive, call: _Call) -> None:
        """Send the refusal; a stream that has begun just ends."""
        if call.started:
            return
        response = error.response(scope["request_id"])
        if error.status in (408, 413):
            response.headers["Connection"] = "close"
        await response(scope, receive, call.send)

    def _note(self, scope: Scope, call: _Call) -> None:
        """Metrics and one log line, without the query string."""
        route = getattr(scope.get("route"), "path", "other")
        seconds = time.perf_counter() - call.begun
        self._gateway.metrics.requests.labels(route, str(call.status)).inc()
        self._gateway.metrics.seconds.labels(route).observe(seconds)
        facts = (scope["request_id"], scope["method"], route, call.status, 1000 * seconds)
        logger.info("%s %s %s %d %.1f ms", *facts)


class _Call:
    """What was sent so far."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope, self._send = scope, send
        self.status, self.started, self.begun = 499, False, time.perf_counter()

    async def send(self, message: Message) -> None:
        """Pass a message on; the first one gets the request id and the hardening headers."""
        if message["type"] == "http.response.start":
            self.status, self.started = message["status"], True
            headers = [*message.get("headers", []), *HARDENING]
            message["headers"] = [*headers, (b"x-request-id", self._scope["request_id"].encode())]
        await self._send(message)


def _offered_key(headers: dict[bytes, bytes]) -> str:
    bearer = headers.get(b"authorization", b"").decode("latin-1")
    if bearer[:7].lower() == "bearer ":
        return bearer[7:].strip()
    return headers.get(b"x-api-key", b"").decode("latin-1")


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "body_too_large", f"the body is longer than {limit} bytes")


async def _read(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise ApiError(400, "hung_up", "the client left while it was sending")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def once() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return once
