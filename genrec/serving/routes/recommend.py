"""How does a request become a ranked list? POST /v1/recommendations, whole or as server-sent events."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request

from genrec.serving.diversity import diverse_order, prefix_similarity
from genrec.serving.door import Answer, Listed, OnText
from genrec.serving.errors import ApiError, request_id_of
from genrec.serving.feedback import append_quietly, user_hash
from genrec.serving.gateway import Gateway, gateway_of
from genrec.serving.request import Asked, understand
from genrec.serving.routes.events import STREAM_TYPE, stream
from genrec.serving.schemas import Chain, RankedItem, RecommendAnswer, RecommendRequest, refusals

logger = logging.getLogger(__name__)
router = APIRouter(tags=["recommendations"])
Result = TypeVar("Result")
STREAM_DOC: dict[int | str, dict[str, Any]] = {
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
    lane = gateway.lanes[asked.engine.lanes[asked.question.mode]]
    if body.stream:
        work = partial(_answer, body, asked, gateway, request_id)
        return stream(work, asked, gateway, request_id, lane.enter())
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
            answer = await asked.engine.answer(asked.question, on_text)
    except TimeoutError:
        raise ApiError(503, "deadline", "the answer took too long and was given up", retry_after=1.0) from None
    seconds = time.perf_counter() - started
    mode = asked.question.mode
    gateway.metrics.answers.labels(mode).observe(seconds)
    gateway.metrics.tokens.labels(mode).inc(answer.tokens)
    result = _as_json(answer, asked, request_id, seconds).model_dump()
    if asked.audited:
        await asyncio.to_thread(_audit, gateway, request_id, asked, answer, result)
    if body.user_id is not None:
        _note_view(gateway, body.user_id, request_id, asked.arm)
    return result


def _as_json(answer: Answer, asked: Asked, request_id: str, seconds: float) -> RecommendAnswer:
    """Ids and titles for dense items."""
    catalogue = asked.engine.catalogue
    return RecommendAnswer(
        id=request_id,
        mode=asked.question.mode,
        items=[
            RankedItem(
                id=catalogue.item_ids[entry.item], title=catalogue.titles[entry.item], sid=entry.sid,
                score=entry.score, reason=entry.reason, source=entry.source, votes=entry.votes,
            )
            for entry in _chosen(answer.listed, asked)
        ],
        chain=Chain(text=answer.chain, stages=dict(answer.stages)) if answer.chain else None,
        timing={**{f"{k}_ms": round(v, 3) for k, v in answer.timing.items()}, "total_ms": round(1000 * seconds, 3)},
        tokens=answer.tokens,
        model=dict(asked.engine.facts),
        arm=asked.arm,
        audited=asked.audited,
    )  # fmt: skip


def _chosen(listed: list[Listed], asked: Asked) -> list[Listed]:
    """The k items of the answer: the best, or the most various of a larger pool."""
    codes = asked.engine.similarity
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
    catalogue, question = asked.engine.catalogue, asked.question
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
