"""How does a streamed answer give back what it holds, even when its first byte is never sent?"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from fastapi.responses import StreamingResponse


class ReleasingResponse(StreamingResponse):
    """A stream with an end that always comes.

    A generator's own `finally` does not run when the client leaves before the first part was asked for; this does.

    Args:
        content: The parts.
        release: Called once when the response is over, however it ended.
        status_code: HTTP status.
        headers: HTTP headers.
        media_type: Content type.
    """

    def __init__(
        self,
        content: AsyncIterator[Any],
        release: Callable[[], Awaitable[None]],
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str | None = None,
    ) -> None:
        super().__init__(content, status_code, headers, media_type)
        self._release = release

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send the parts, then release."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._release()
