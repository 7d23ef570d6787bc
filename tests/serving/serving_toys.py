"""A recommender without a model, a model server without a model, and a gateway that really listens."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import uvicorn

from genrec.data.catalogue import Catalogue
from genrec.serving.config import ServingConfig
from genrec.serving.door import Answer, Listed, Page, UpstreamError
from genrec.serving.run import make_server

ITEMS = 30
SERVING_TITLES = [f"Polish number {i}" for i in range(ITEMS - 2)] + ["Same name", "Same name"]


def shop() -> Catalogue:
    """Thirty items: even ones are nails, multiples of three cost 3, item 5 is out of stock."""
    return Catalogue.from_records(
        {
            "item_id": f"i{i}", "title": title, "brand": "OPI" if i < 10 else "Other",
            "categories": ["Nails" if i % 2 == 0 else "Hair"], "price": 3.0 if i % 3 == 0 else 20.0,
            "in_stock": 0 if i == 5 else 1,
        }
        for i, title in enumerate(SERVING_TITLES)
    )  # fmt: skip


class ToyEngine:
    """Lists the items in order of their index; says a chain of three words first where it reasons."""

    def __init__(self) -> None:
        self.modes = ("direct", "reasoning", "mixed")
        self.lanes = {"direct": "direct", "reasoning": "reasoning", "mixed": "reasoning"}
        self.scenarios = {"home_feed": Page("direct", False, "speed"), "complaint": Page("reasoning", True, "a record")}
        self.facts = {"model": "toy", "index_hash": "abc"}
        self.catalogue = shop()
        self.similarity = np.array([[i // 10, i % 10] for i in range(ITEMS)])
        self.delay, self.error, self.up = 0.0, None, True
        self.questions: list[Any] = []
        self.cancelled = 0

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    def ready(self) -> dict[str, bool]:
        return {"direct": True, "reasoning": self.up}

    async def answer(self, question: Any, on_text: Any = None) -> Answer:
        self.questions.append(question)
        try:
            for word in ("likes ", "red ", "polish"):
                await asyncio.sleep(self.delay / 3)
                if question.mode != "direct" and on_text is not None:
                    on_text(word)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        allowed = [i for i in range(ITEMS) if i not in question.exclude]
        allowed = [i for i in allowed if question.within is None or question.within[i]]
        chain = "" if question.mode == "direct" else "likes red polish"
        listed = [Listed(i, f"<a_{i // 10}><b_{i % 10}>", -float(i), chain) for i in allowed[: question.k]]
        facts = [{"text": chain}] if chain else []
        return Answer(listed, chain, {"1": chain} if chain else {}, facts, {"beam": 1.0}, 3 if chain else 0)


def broken() -> UpstreamError:
    """What an engine raises when its model server is away."""
    return UpstreamError("upstream_unavailable", "the model server cannot be reached")


def wait_until(condition: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


@contextmanager
def listening(app: Any, config: ServingConfig | None = None) -> Iterator[str]:
    """The address of an application that listens on a free port for the length of a block."""
    config = config or app.state.gateway.config
    server = make_server(app, ServingConfig(**{**vars(config), "port": 0}))
    with _in_thread(server) as url:
        yield url


@contextmanager
def _in_thread(server: uvicorn.Server) -> Iterator[str]:
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive(), "the server ended"
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


class FakeModelServer:
    """An ASGI application that speaks as much of OpenAI's API as the tests need."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.healthy, self.delay, self.status = True, 0.0, 200
        self.break_off = False
        self.words = ["<think>", "likes ", "red", "</think>"]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        path = scope["path"]
        if path == "/health":
            await _reply(send, 200 if self.healthy else 500, {})
        elif path == "/v1/models":
            await _reply(send, 200, {"object": "list", "data": [{"id": "toy-model", "object": "model"}]})
        else:
            await self._complete(json.loads(body), path, send)

    async def _complete(self, body: dict[str, Any], path: str, send: Any) -> None:
        self.bodies.append(body)
        await asyncio.sleep(self.delay)
        if self.status != 200:
            await _reply(send, self.status, {"error": {"message": "no", "type": "t", "code": "c", "param": None}})
        elif body.get("stream"):
            await self._stream(body, send)
        elif path.endswith("chat/completions"):
            message = {"role": "assistant", "content": "hello"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            await _reply(send, 200, {"id": "c1", "object": "chat.completion", "created": 0, "model": "toy-model",
                                     "choices": [choice]})  # fmt: skip
        else:
            choice = {"index": 0, "text": "hello", "finish_reason": "stop", "logprobs": None}
            await _reply(send, 200, {"id": "c1", "object": "text_completion", "created": 0, "model": "toy-model",
                                     "choices": [choice]})  # fmt: skip

    async def _stream(self, body: dict[str, Any], send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for word in self.words[:-1] if body.get("stop") else self.words:
            for index in range(body.get("n", 1)):
                choice = {"index": index, "text": word, "finish_reason": None, "logprobs": {"token_logprobs": [-0.5]}}
                event = {"id": "c1", "object": "text_completion", "created": 0, "model": "m", "choices": [choice]}
                data = f"data: {json.dumps(event)}\n\n".encode()
                await send({"type": "http.response.body", "body": data, "more_body": True})
            if self.break_off:
                raise ConnectionError("killed")
            await asyncio.sleep(self.delay)
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n", "more_body": False})


async def _reply(send: Any, status: int, content: dict[str, Any]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(content).encode()})


@contextmanager
def model_server(app: Any) -> Iterator[str]:
    """A fake model server that really listens."""
    settings = uvicorn.Config(
        app, port=0, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
    )
    with _in_thread(uvicorn.Server(settings)) as url:
        yield url
