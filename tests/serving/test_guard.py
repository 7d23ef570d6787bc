"""What stands before every route: keys, origins, ids, drain, overload, hang-ups, SIGTERM."""

from __future__ import annotations

import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from serving_toys import listening, wait_until

from genrec.serving.admission import Lane
from genrec.serving.config import ServingConfig
from genrec.serving.errors import ApiError
from genrec.serving.guard import KeyRing
from genrec.serving.upstream.process import free_port

pytestmark = pytest.mark.serve
PATH = "/v1/recommendations"
KEY = "k" * 24


def connect(url: str) -> socket.socket:
    """A plain connection to a server."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port))


def test_the_defaults_are_closed():
    config = ServingConfig()
    assert (config.host, config.cors_origins, config.log_text) == ("127.0.0.1", (), False)


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"port": 70_000}, "port=70000"), ({"direct_slots": 0}, "direct_slots=0"),
     ({"api_keys": ("short",)}, "openssl rand"),
     ({"arms": {"a": 0.0}}, "weight"), ({"arms": {"a b": 1.0}}, "letters")],
)  # fmt: skip
def test_a_bad_setting_is_named(settings, words):
    with pytest.raises(ValueError, match=words):
        ServingConfig(**settings)


def test_a_key_ring_admits_its_keys_and_an_empty_one_everybody():
    ring = KeyRing((KEY, "x" * 24))
    assert [ring.admits(offered) for offered in (KEY, "x" * 24, "x" * 23, "")] == [True, True, False, False]
    assert KeyRing(()).admits("anything")


def test_with_keys_only_the_pages_and_the_health_are_open(make):
    with TestClient(make(api_keys=(KEY,))) as client:
        assert [client.get(path).status_code for path in ("/", "/docs", "/health", "/ready")] == [200] * 4
        assert [client.get(path).status_code for path in ("/v1/items", "/metrics", "/v1/settings")] == [401] * 3
        refused = client.post(PATH, json={"history": ["i1"]}, headers={"Authorization": "Bearer wrong"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "bad_api_key")
        for headers in ({"Authorization": f"Bearer {KEY}"}, {"X-API-Key": KEY}):
            assert client.get("/v1/items", headers=headers).status_code == 200


def test_cors_is_off_unless_an_origin_is_named(make):
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    with TestClient(make()) as client:
        assert "access-control-allow-origin" not in client.options(PATH, headers=asked).headers
        assert "access-control-allow-origin" not in client.get("/health", headers=asked).headers
    with TestClient(make(cors_origins=("https://shop.example",))) as client:
        assert client.options(PATH, headers=asked).headers["access-control-allow-origin"] == "https://shop.example"


def test_every_answer_has_an_id_and_hardening_headers(client):
    first, second = client.get("/health"), client.get("/nowhere")
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert first.headers["x-content-type-options"] == "nosniff"
    assert (second.status_code, second.json()["error"]["code"]) == (404, "not_found")


def test_a_draining_gateway_says_so_and_takes_nothing_new(client):
    client.app.state.gateway.draining = True
    assert client.get("/health").status_code == 200
    assert client.get("/ready").status_code == 503
    refused = client.post(PATH, json={"history": ["i1"]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")


def test_a_lane_gives_its_slots_back_once_and_counts_refusals():
    lane = Lane("direct", 2)
    leave = lane.enter()
    with lane.slot(), pytest.raises(ApiError) as refused:
        lane.enter()
    assert (refused.value.status, refused.value.headers()) == (429, {"Retry-After": "1"})
    leave()
    leave()
    assert (lane.taken, lane.rejected) == (0, 1)


def test_overload_gets_429_at_once_while_accepted_requests_are_answered(make, engine):
    engine.delay = 1.0
    app = make(direct_slots=2)
    answers: list[Any] = []

    def ask(url: str) -> None:
        began = time.monotonic()
        answer = httpx.post(url + PATH, json={"history": ["i1"], "k": 1}, timeout=60)
        answers.append((answer.status_code, time.monotonic() - began, answer.headers.get("retry-after")))

    with listening(app) as url:
        threads = [threading.Thread(target=ask, args=(url,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(status for status, _, _ in answers) == [200, 200, *[429] * 6]
    refused = [(seconds, after) for status, seconds, after in answers if status == 429]
    assert all(after is not None for _, after in refused)
    assert statistics.median(seconds for seconds, _ in refused) < max(s for status, s, _ in answers if status == 200)
    assert app.state.gateway.lanes["direct"].taken == 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_hangs_up_frees_its_slot(make, engine, stream):
    engine.delay = 30
    app = make()
    lane = app.state.gateway.lanes["reasoning"]
    with listening(app) as url:
        body = f'{{"history": ["i1"], "mode": "reasoning", "stream": {str(stream).lower()}}}'.encode()
        with connect(url) as caller:
            kind = "Host: x\r\nContent-Type: application/json"
            head = f"POST {PATH} HTTP/1.1\r\n{kind}\r\nContent-Length: {len(body)}\r\n\r\n"
            caller.sendall(head.encode() + body)
            wait_until(lambda: lane.taken == 1)
        wait_until(lambda: lane.taken == 0)
        assert engine.cancelled == 1


def test_a_body_that_does_not_arrive_is_given_up(make):
    with listening(make(body_seconds=0.2)) as url, connect(url) as caller:
        caller.sendall(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
        assert caller.recv(4096).startswith(b"HTTP/1.1 408")


def test_what_runs_while_the_gateway_drains_is_answered(make, engine):
    engine.delay = 1.5
    app = make()
    answers: list[Any] = []
    with listening(app) as url:
        call = threading.Thread(
            target=lambda: answers.append(httpx.post(url + PATH, json={"history": ["i1"], "k": 1}, timeout=60))
        )
        call.start()
        wait_until(lambda: app.state.gateway.lanes["direct"].taken == 1)
        app.state.gateway.draining = True
    call.join()
    assert answers[0].status_code == 200


SERVER = """
import sys
from pathlib import Path
sys.path.insert(0, {folder!r})
from serving_toys import ToyEngine
from genrec.serving.config import ServingConfig
from genrec.serving.gateway import create_app
from genrec.serving.run import serve
engine = ToyEngine()
engine.delay = 2.0
config = ServingConfig(port={port}, state_dir=Path({state!r}))
serve(create_app(engine, config, doors=()), config)
"""


def test_sigterm_answers_what_runs_and_ends_with_status_0(tmp_path):
    port = free_port()
    code = SERVER.format(folder=str(Path(__file__).parent), port=port, state=str(tmp_path))
    server = subprocess.Popen([sys.executable, "-c", code])
    url, answers = f"http://127.0.0.1:{port}", []
    wait_until(lambda: alive(url), 240)
    call = threading.Thread(
        target=lambda: answers.append(httpx.post(url + PATH, json={"history": ["i1"]}, timeout=120))
    )
    call.start()
    wait_until(lambda: 'genrec_lane_taken{lane="direct"} 1.0' in httpx.get(f"{url}/metrics", timeout=60).text)
    server.send_signal(signal.SIGTERM)
    call.join()
    assert (answers[0].status_code, server.wait(60)) == (200, 0)


def alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
