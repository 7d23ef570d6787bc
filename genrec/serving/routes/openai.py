"""How does an OpenAI client reach the model servers? Three routes passed through to the least-loaded healthy one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from genrec.serving.errors import ApiError
from genrec.serving.gateway import Gateway, gateway_of
from genrec.serving.schemas import refusals
from genrec.serving.streams import ReleasingResponse

router = APIRouter(tags=["openai"])
KEPT_HEADERS = ("content-type", "cache-control")
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object"}, "example": {"model": "gream", "prompt": "<think>"}}
        },
    }
}
_SHARED: dict[str, Any] = {"responses": refusals(400, 404, 408, 413, 422, 429), "response_class": Response}


@router.get("/v1/models", summary="Models of the servers behind the gateway (OpenAI)", **_SHARED)
async def models(request: Request, gateway: Annotated[Gateway, Depends(gateway_of)]) -> Response:
    """Passed through."""
    return await _pass(request, gateway)


@router.post("/v1/completions", summary="Complete a prompt (OpenAI)", openapi_extra=_BODY, **_SHARED)
async def completions(request: Request, gateway: Annotated[Gateway, Depends(gateway_of)]) -> Response:
    """Passed through, streams included."""
    return await _pass(request, gateway)


@router.post("/v1/chat/completions", summary="Continue a conversation (OpenAI)", openapi_extra=_BODY, **_SHARED)
async def chat_completions(request: Request, gateway: Annotated[Gateway, Depends(gateway_of)]) -> Response:
    """Passed through, streams included."""
    return await _pass(request, gateway)


async def _pass(request: Request, gateway: Gateway) -> Response:
    """Hand a request on; its slot is held until the last byte of the answer."""
    pool = gateway.pool
    if pool is None:
        message = "no model server stands behind this gateway; start it with --engine vllm or --attach URL"
        raise ApiError(503, "no_upstream", message)
    leave = gateway.lanes["upstream"].enter()
    try:
        answer = await pool.send(request.method, request.url.path, await request.body())
    except BaseException:
        leave()
        raise

    async def release() -> None:
        await answer.close()
        leave()

    headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
    return ReleasingResponse(answer.parts(), release, answer.status, headers)
