"""How is an answer told while it is made? `started`, `chain` ..., then `answer` or `error`, as server-sent events."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from genrec.serving.door import OnText, UpstreamError
from genrec.serving.errors import ApiError, unavailable
from genrec.serving.gateway import Gateway
from genrec.serving.request import Asked
from genrec.serving.streams import ReleasingResponse

logger = logging.getLogger(__name__)
HEARTBEAT_SECONDS = 10.0
STREAM_TYPE = "text/event-stream"


def stream(
    work: Callable[[OnText], Coroutine[Any, Any, dict[str, Any]]],
    asked: Asked,
    gateway: Gateway,
    request_id: str,
    leave: Callable[[], None],
) -> ReleasingResponse:
    """Server-sent events of one request; a client that leaves ends the work and frees the slot.

    Args:
        work: Makes the answer and tells the chain meanwhile.
        asked: The request.
        gateway: Where hang-ups are counted.
        request_id: Told in the first event.
        leave: Gives the slot back.
    """
    loop, pieces = asyncio.get_running_loop(), asyncio.Queue[str | None]()

    def say(text: str) -> None:
        _from_thread(loop, pieces, text)

    task = asyncio.ensure_future(work(say))
    task.add_done_callback(lambda _: pieces.put_nowait(None))

    async def release() -> None:
        if not task.done():
            gateway.metrics.hang_ups.inc()
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        leave()

    events = _events(task, pieces, request_id, asked.question.mode)
    return ReleasingResponse(events, release, headers={"Cache-Control": "no-store"}, media_type=STREAM_TYPE)


async def _events(
    task: asyncio.Task[dict[str, Any]], pieces: asyncio.Queue[str | None], request_id: str, mode: str
) -> AsyncIterator[str]:
    """`started`, `chain` ..., then `answer` or `error`."""
    yield _event("started", {"id": request_id, "mode": mode})
    async for line in _lines(pieces):
        yield line
    try:
        yield _event("answer", task.result())
    except ApiError as error:
        yield _event("error", error.body(request_id))
    except UpstreamError as error:
        yield _event("error", unavailable(error).body(request_id))
    except Exception as error:  # the stream has begun, so the guard can no longer answer
        logger.error("request %s: %s", request_id, type(error).__name__, exc_info=error)
        yield _event("error", ApiError(500, "internal", "the server failed; the log knows why").body(request_id))


def _from_thread(loop: asyncio.AbstractEventLoop, pieces: asyncio.Queue[str | None], text: str) -> None:
    """Hand text from the thread of a model to the event loop; a loop that has closed wants none."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(pieces.put_nowait, text)


async def _lines(pieces: asyncio.Queue[str | None]) -> AsyncIterator[str]:
    """Chain events until None arrives; a comment now and then keeps idle connections open."""
    while True:
        try:
            text = await asyncio.wait_for(pieces.get(), HEARTBEAT_SECONDS)
        except TimeoutError:
            yield ": still at work\n\n"
            continue
        if text is None:
            return
        yield _event("chain", {"text": text})


def _event(name: str, data: dict[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
