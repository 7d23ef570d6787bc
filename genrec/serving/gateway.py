"""What makes up a running gateway? Its parts, and the FastAPI application around them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.middleware.cors import CORSMiddleware

from genrec.serving.admission import Lane
from genrec.serving.audit import AuditStore
from genrec.serving.config import ServingConfig
from genrec.serving.door import Door, Engine, installed_doors
from genrec.serving.errors import add_handlers
from genrec.serving.feedback import FeedbackLog
from genrec.serving.growth import Growth
from genrec.serving.guard import Guard
from genrec.serving.html import html_answer
from genrec.serving.items import ItemIndex
from genrec.serving.metrics import GatewayMetrics
from genrec.serving.upstream.pool import Pool

logger = logging.getLogger(__name__)
DESCRIPTION = """A generative recommender behind one address.

Every refusal has the body `{"error": {"message", "type", "code", "param", "request_id"}}`; `code` is stable, `message`
is for people. 429 and 503 carry `Retry-After`."""


class Gateway:
    """The parts that routes share.

    Args:
        engine: The recommender.
        config: Limits and switches.
        pool: OpenAI-compatible servers for the passed-through routes; None when there are none.
        metrics: Figures; an engine that reports batches is given the same object.
    """

    def __init__(
        self, engine: Engine, config: ServingConfig, pool: Pool | None = None, metrics: GatewayMetrics | None = None
    ) -> None:
        self.engine, self.config, self.pool = engine, config, pool
        self.metrics = metrics or GatewayMetrics()
        self.items = ItemIndex(engine.catalogue)
        self.feedback = FeedbackLog(config.state_dir / "feedback.jsonl")
        self.audits = (
            AuditStore(config.state_dir / "audit.sqlite", config.audit_retention_seconds)
            if config.audit_retention_seconds
            else None
        )
        slots = {"direct": config.direct_slots, "reasoning": config.reasoning_slots, "upstream": config.upstream_slots}
        self.lanes = {name: Lane(name, number) for name, number in slots.items()}
        self.metrics.watch(self.lanes.values(), self.feedback.rates)
        self.pages: dict[str, str] = {}  # path -> title, of pages that doors added
        self.draining = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self.growth = Growth(self)
        self.app = FastAPI(
            title="gream gateway",
            description=DESCRIPTION,
            version="1",
            docs_url=None,
            redoc_url=None,
            lifespan=self._life,
        )

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something that no caller waits for; it is finished before the gateway closes."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def add_page(self, path: str, title: str, html: str) -> None:
        """Serve a page of a door: open without a key, under the content policy, linked from the playground.

        Args:
            path: Where, e.g. "/playground/chat".
            title: Words of the link.
            html: The whole page; what it asks of the API carries the key that its reader typed.
        """

        async def page() -> HTMLResponse:
            return html_answer(html)

        self.app.add_api_route(path, page, methods=["GET"], include_in_schema=False)
        self.pages[path] = title

    def ready(self) -> dict[str, bool]:
        """Part -> whether it can answer."""
        return {**self.engine.ready(), "draining": self.draining}

    @asynccontextmanager
    async def _life(self, app: FastAPI) -> AsyncIterator[None]:
        """Start the parts, and stop them in the opposite order."""
        self.feedback.start()
        if self.pool is not None:
            await self.pool.start()
        await self.engine.start()
        logger.info("the gateway answers for %d items", len(self.items))
        try:
            yield
        finally:
            self.draining = True
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self.growth.close()
            await self.engine.close()
            if self.pool is not None:
                await self.pool.close()
            await asyncio.to_thread(self.feedback.close)
            if self.audits is not None:
                self.audits.close()


async def gateway_of(request: Request) -> Gateway:
    """The gateway that a route belongs to (a FastAPI dependency).

    A coroutine, so that FastAPI calls it on the event loop: a plain function would go to a thread for every request and
    wait there for the interpreter's lock, which the model's thread holds.
    """
    gateway: Gateway = request.app.state.gateway
    return gateway


def create_app(
    engine: Engine,
    config: ServingConfig | None = None,
    pool: Pool | None = None,
    metrics: GatewayMetrics | None = None,
    doors: Sequence[Door] | None = None,
) -> FastAPI:
    """Make the application.

    Args:
        engine: The recommender.
        config: Limits and switches.
        pool: OpenAI-compatible servers.
        metrics: Figures shared with the engine.
        doors: Functions that add routes; None calls those of the installed packages.

    Returns:
        An ASGI application; `app.state.gateway` holds its parts.
    """
    from genrec.serving.routes import ROUTERS

    gateway = Gateway(engine, config or ServingConfig(), pool, metrics)
    app = gateway.app
    app.state.gateway = gateway
    for router in ROUTERS:
        app.include_router(router)
    for door in installed_doors() if doors is None else doors:
        door(gateway)
    add_handlers(app)
    if gateway.config.cors_origins:
        app.add_middleware(
            CORSMiddleware, allow_origins=list(gateway.config.cors_origins), allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
        )  # fmt: skip
    app.add_middleware(Guard, gateway=gateway)
    return app
