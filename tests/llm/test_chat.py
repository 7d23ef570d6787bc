"""Chat models: one call for a local model and for a server of OpenAI's kind; credentials never show."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from genrec.llm.backbones import TinyConfig, load_backbone
from genrec.llm.chat import ChatError, LocalChat, ServerChat, load_chat

KEY = "secret-key-1234"
MESSAGES = [{"role": "user", "content": "hello"}]


class Server(BaseHTTPRequestHandler):
    """Answers like a chat server; what it answers is set on the class."""

    status, content, seen = 200, "hi", []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).seen.append((self.headers.get("Authorization"), body))
        answer: dict[str, Any] = {"error": {"message": f"bad key {KEY}"}}
        if self.status == 200:
            message = {"role": "assistant", "content": self.content}
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            answer = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
        text = json.dumps(answer).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    Server.status, Server.content, Server.seen = 200, "hi", []
    server = HTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()


def test_a_server_is_asked_with_a_schema(address: str) -> None:
    model = load_chat(f"{address}#m")
    assert model is not None
    assert model.complete(MESSAGES, {"type": "object"}) == "hi"
    authorization, body = Server.seen[0]
    assert authorization == f"Bearer {KEY}"
    assert body["model"] == "m"
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}


def test_errors_hide_the_key(address: str) -> None:
    Server.status = 400
    with pytest.raises(ChatError) as caught:
        ServerChat(address, "m").complete(MESSAGES)
    assert KEY not in str(caught.value)
    assert "***" in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_an_empty_answer_is_an_error(address: str) -> None:
    Server.content = ""
    with pytest.raises(ChatError, match="empty"):
        ServerChat(address, "m").complete(MESSAGES)


def test_a_local_model_answers_greedily() -> None:
    shape = TinyConfig(16, 1, num_heads=2, num_kv_heads=2, intermediate=32, vocab_size=300, max_positions=256)
    model, tokenizer = load_backbone("tiny", texts=["hello world"], tiny=shape)
    chat = LocalChat(model.eval(), tokenizer, max_new_tokens=5, name="tiny")
    assert chat.complete(MESSAGES) == chat.complete(MESSAGES)
    assert "<|im_end|>" in chat.added_tokens
    tokenizer.chat_template = None
    with pytest.raises(ValueError, match="chat template"):
        LocalChat(model, tokenizer)


@pytest.mark.parametrize("spec", [None, "", "none"])
def test_no_model_is_none(spec: str | None) -> None:
    assert load_chat(spec) is None


def test_a_server_needs_a_models_name() -> None:
    with pytest.raises(ValueError, match="#model"):
        load_chat("http://localhost:8000/v1")
