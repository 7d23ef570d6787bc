"""How does a gateway run as a process? uvicorn, with a drain between SIGTERM and the end."""

from __future__ import annotations

import logging
import math
import signal
from types import FrameType

import uvicorn
from fastapi import FastAPI

from genrec.serving.config import ServingConfig
from genrec.serving.gateway import Gateway

logger = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """Says "not ready" at the first signal, answers what is under way, refuses what is new, then ends."""

    gateway: Gateway
    should_exit: bool

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal begins the drain; Ctrl-C again ends at once.

        uvicorn's own handler would raise the signal once more after the drain, and a process that ended well would look
        killed.
        """
        self.gateway.draining = True
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def make_server(app: FastAPI, config: ServingConfig) -> DrainingServer:
    """A server for an application.

    Args:
        app: From `create_app`.
        config: Address and drain time.

    Returns:
        The server; `.run()` blocks until a signal.
    """
    settings = uvicorn.Config(
        app, host=config.host, port=config.port, log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=math.ceil(config.drain_seconds), timeout_keep_alive=30, backlog=512,
        h11_max_incomplete_event_size=32_768,
    )  # fmt: skip
    server = DrainingServer(settings)
    server.gateway = app.state.gateway
    return server


def serve(app: FastAPI, config: ServingConfig) -> None:
    """Run until SIGTERM or SIGINT."""
    if config.host not in ("127.0.0.1", "localhost", "::1") and not config.api_keys:
        logger.warning("%s is reachable from other machines and no API key is set", config.host)
    logger.info("listening on http://%s:%d", config.host, config.port)
    make_server(app, config).run()
