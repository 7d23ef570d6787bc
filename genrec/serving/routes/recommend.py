"""How does a request become a ranked list? POST /v1/recommendations, whole or as server-sent events."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request

from genrec.serving.diversity import diverse_order, prefix_similarity
from genrec.serving.door import Answer, Listed, OnText, UpstreamError
from genrec.serving.errors import ApiError, request_id_of, unavailable
from genrec.serving.feedback import append_quietly, user_hash
from genrec.serving.gateway import Gateway, gateway_of
from genrec.serving.request import Asked, understand
from genrec.serving.schemas import Chain, RankedItem, RecommendAnswer, RecommendRequest, refusals
from genrec.serving.streams import ReleasingResponse

logger = logging.getLogger(__name__)
router = APIRouter(tags=["recommendations"])
HEARTBEAT_SECONDS = 10.0
STREAM_TYPE = "text/event-stream"
Result = TypeVar("Result")
STREAM_DOC = {
    200: {
        "description": "The list; with `stream`, events `started`, `chain` (text as written), `answer` or `error`.",
        "content": {
            STREAM_TYPE: {"schema": {"type": "string"}, "example": 'event: chain\ndata: {"text": "likes"}\n\n'}
        },
    }
}


@router.post(
    "/v1/recommendations",
    response_model=RecommendAnswer,
    responses={**STREAM_DOC, **refusals(400, 408, 413, 422, 429)},
    summary="Recommend items for a history",
)
async def recommend(body: RecommendRequest, request: Request, gateway: Annotated[Gateway, Depends(gateway_of)]) -> Any:
    """Rank items that continue a history: directly, behind a chain of thought, or mixed."""
    asked = understand(body, gateway)
    request_id = request_id_of(request)
    if gateway.config.log_text:
        logger.info("%s history %s", request_id, body.history)
    lane = gateway.lanes[gateway.engine.lanes[asked.question.mode]]
    if body.stream:
        return _stream(body, asked, gateway, request_id, lane.enter())
    with lane.slot():
        return await _or_hang_up(_answer(body, asked, gateway, request_id, None), request, gateway)


async def _or_hang_up(work: Awaitable[Result], request: Request, gateway: Gateway) -> Result:
    """Wait for an answer, but no longer than the client does."""
    task = asyncio.ensure_future(work)
    left = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            gateway.metrics.hang_ups.inc()
            raise ApiError(499, "hung_up", "the client left")
        return task.result()
    finally:
        task.cancel()
        left.cancel()


async def _disconnect(request: Request) -> None:
    """Return when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _answer(
    body: RecommendRequest, asked: Asked, gateway: Gateway, request_id: str, on_text: OnText | None
) -> dict[str, Any]:
    """The list as JSON values; audits and impressions are written on the way."""
    started = time.perf_counter()
    try:
        async with asyncio.timeout(gateway.config.request_seconds):
            answer = await gateway.engine.answer(asked.question, on_text)
    except TimeoutError:
        raise ApiError(503, "deadline", "the answer took too long and was given up", retry_after=1.0) from None
    seconds = time.perf_counter() - started
    mode = asked.question.mode
    gateway.metrics.answers.labels(mode).observe(seconds)
    gateway.metrics.tokens.labels(mode).inc(answer.tokens)
    result = _as_json(answer, asked, gateway, request_id, seconds).model_dump()
    if asked.audited:
        await asyncio.to_thread(_audit, gateway, request_id, asked, answer, result)
    if body.user_id is not None:
        _note_view(gateway, body.user_id, request_id, asked.arm)
    return result


def _as_json(answer: Answer, asked: Asked, gateway: Gateway, request_id: str, seconds: float) -> RecommendAnswer:
    """Ids and titles for dense items."""
    catalogue = gateway.engine.catalogue
    return RecommendAnswer(
        id=request_id,
        mode=asked.question.mode,
        items=[
            RankedItem(
                id=catalogue.item_ids[entry.item], title=catalogue.titles[entry.item], sid=entry.sid,
                score=entry.score, reason=entry.reason, source=entry.source, votes=entry.votes,
            )
            for entry in _chosen(answer.listed, asked, gateway)
        ],
        chain=Chain(text=answer.chain, stages=dict(answer.stages)) if answer.chain else None,
        timing={**{f"{k}_ms": round(v, 3) for k, v in answer.timing.items()}, "total_ms": round(1000 * seconds, 3)},
        tokens=answer.tokens,
        model=dict(gateway.engine.facts),
        arm=asked.arm,
        audited=asked.audited,
    )  # fmt: skip


def _chosen(listed: list[Listed], asked: Asked, gateway: Gateway) -> list[Listed]:
    """The k items of the answer: the best, or the most various of a larger pool."""
    codes = gateway.engine.similarity
    if not asked.diversity or codes is None or len(listed) <= 1:
        return listed[: asked.k]
    alike = prefix_similarity(codes[[entry.item for entry in listed]])
    places = [-float(place) for place in range(len(listed))] if _votes(listed) else [entry.score for entry in listed]
    return [listed[i] for i in diverse_order(places, alike, asked.k, asked.diversity)]


def _votes(listed: list[Listed]) -> bool:
    """Whether scores of different kinds stand in one list; then places are compared instead."""
    return len({entry.source for entry in listed}) > 1


def _audit(gateway: Gateway, request_id: str, asked: Asked, answer: Answer, result: dict[str, Any]) -> None:
    """Store all that is needed to produce the answer again."""
    assert gateway.audits is not None
    catalogue, question = gateway.engine.catalogue, asked.question
    record = {
        **result, "scenario": asked.scenario, "chains": answer.chains,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "history": [{"id": catalogue.item_ids[i], "title": catalogue.titles[i]} for i in question.history],
        "settings": {
            "k": asked.k, "m": question.reasoned, "num_samples": question.num_samples, "seed": question.seed,
            "diversity": asked.diversity, "filters": question.within_key,
            "exclude": sorted(catalogue.item_ids[i] for i in question.exclude),
        },
    }  # fmt: skip
    gateway.audits.keep(request_id, record)


def _note_view(gateway: Gateway, user_id: str, request_id: str, arm: str | None) -> None:
    """An impression: the list was sent to a user. Nobody waits for it."""
    record = {
        "request_id": request_id,
        "user": user_hash(user_id, gateway.config.arm_salt),
        "arm": arm,
        "action": "view",
    }
    gateway.spawn(append_quietly(gateway.feedback, {**record, "key": f"view-{request_id}"}))


def _stream(
    body: RecommendRequest, asked: Asked, gateway: Gateway, request_id: str, leave: Callable[[], None]
) -> ReleasingResponse:
    """Server-sent events of one request; a client that leaves ends the work and frees the slot."""
    loop, pieces = asyncio.get_running_loop(), asyncio.Queue[str | None]()

    def say(text: str) -> None:
        _from_thread(loop, pieces, text)

    task = asyncio.ensure_future(_answer(body, asked, gateway, request_id, say))
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
