"""What is kept? Feedback, durably, and audited answers for a set time."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from genrec.serving.errors import ApiError
from genrec.serving.feedback import arm_of, user_hash
from genrec.serving.gateway import Gateway, gateway_of
from genrec.serving.schemas import Feedback, FeedbackStored, refusals

router = APIRouter(tags=["records"])


@router.post(
    "/v1/feedback",
    response_model=FeedbackStored,
    status_code=201,
    responses=refusals(400, 408, 413, 422),
    summary="Store what a person did with a list",
)
async def give_feedback(body: Feedback, gateway: Annotated[Gateway, Depends(gateway_of)]) -> dict[str, Any]:
    """Stored on disk before the answer; the same `key` is stored once."""
    if body.item_id is not None and gateway.items.find(body.item_id) is None:
        raise ApiError(422, "unknown_item", "item_id: there is no item with this id", "item_id")
    if body.item_id is None and body.action != "view":
        raise ApiError(422, "item_needed", f"item_id: '{body.action}' is about an item", "item_id")
    config = gateway.config
    arm = arm_of(body.user_id, config.arms, config.arm_salt)
    facts = body.model_dump(exclude={"user_id"}, exclude_none=True)
    facts |= {"arm": arm, "user": user_hash(body.user_id, config.arm_salt)}
    key, known = await asyncio.shield(gateway.feedback.append(facts))
    if not known:
        gateway.metrics.feedback.labels(arm, body.action).inc()
    return {"key": key, "arm": arm, "duplicate": known}


@router.get(
    "/v1/audits/{request_id}",
    responses={
        200: {"content": {"application/json": {"example": {"id": "req-5f0c", "mode": "reasoning", "chains": []}}}},
        **refusals(404, 422),
    },
    summary="An audited answer",
)
async def find_audit(
    request_id: Annotated[str, Path(max_length=64)], gateway: Annotated[Gateway, Depends(gateway_of)]
) -> dict[str, Any]:
    """History, chain, items, settings, model and index hash of a request that asked for an audit."""
    audits = gateway.audits
    record = None if audits is None else await asyncio.to_thread(audits.find, request_id)
    if record is None:
        raise ApiError(404, "no_audit", "no audit is kept under this id (or its time is over)", "request_id")
    return record
