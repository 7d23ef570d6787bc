"""How is the gateway? Alive, ready, and in figures."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from genrec.serving.gateway import Gateway, gateway_of
from genrec.serving.schemas import refusals

router = APIRouter(tags=["status"])
_PARTS = {"content": {"application/json": {"example": {"ready": True, "parts": {"direct": True, "reasoning": True}}}}}


@router.get("/health", summary="Is the process alive?")
async def health() -> dict[str, str]:
    """Answers as long as the event loop turns."""
    return {"status": "ok"}


@router.get("/ready", responses={200: _PARTS, 503: {**_PARTS, "description": "Some part cannot answer."}},
            summary="Can it answer?")  # fmt: skip
async def ready(gateway: Annotated[Gateway, Depends(gateway_of)]) -> Response:
    """Every part; 503 while one cannot answer or the server drains."""
    parts = gateway.ready()
    fine = all(value for name, value in parts.items() if name != "draining") and not parts["draining"]
    return JSONResponse({"ready": fine, "parts": parts}, 200 if fine else 503)


@router.get("/metrics", responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **refusals()},
            response_class=Response, summary="Figures for Prometheus")  # fmt: skip
async def metrics(gateway: Annotated[Gateway, Depends(gateway_of)]) -> Response:
    """Requests, latencies, batches, lanes, feedback and click rate per arm, model servers."""
    if gateway.pool is not None:
        gateway.pool.report(gateway.metrics)
    return Response(generate_latest(gateway.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/settings", responses=refusals(), summary="Modes, scenarios and limits of this server")
async def settings(gateway: Annotated[Gateway, Depends(gateway_of)]) -> dict[str, Any]:
    """What a client may ask for."""
    engine, config = gateway.engine, gateway.config
    needs = {name: {"mode": p.mode, "audited": p.audited, "need": p.need} for name, p in engine.scenarios.items()}
    return {
        "modes": list(engine.modes), "scenarios": needs, "pages": gateway.pages, "model": dict(engine.facts),
        "num_items": len(gateway.items),
        "limits": {
            "max_k": min(config.max_k, len(gateway.items)), "max_history": config.max_history,
            "max_samples": config.max_samples, "max_body_bytes": config.max_body_bytes,
        },
    }  # fmt: skip
