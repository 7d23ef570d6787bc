"""Model servers behind the gateway: passed through, chosen by load, allowed to fail."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import openai
import pytest
from serving_toys import FakeModelServer, listening, model_server, wait_until

from genrec.serving.door import UpstreamError
from genrec.serving.upstream.pool import Pool
from genrec.serving.upstream.process import ServerProcess, free_port, vllm_command

pytestmark = pytest.mark.serve
BODY = json.dumps({"model": "m", "prompt": "hello"}).encode()


@pytest.fixture
def fake() -> Any:
    return FakeModelServer()


def with_pool(urls: list[str], scene: Any, **settings: Any) -> Any:
    """Run a scene with a started pool."""

    async def run() -> Any:
        pool = Pool(urls, **{"check_seconds": 0.05, **settings})
        await pool.start()
        try:
            return await scene(pool)
        finally:
            await pool.close()

    return asyncio.run(run())


@contextmanager
def passed_through(make: Any, upstream: str) -> Iterator[str]:
    """Address of a gateway whose model server is healthy."""
    pool = Pool([upstream], check_seconds=0.2)
    with listening(make(pool)) as url:
        wait_until(pool.healthy)
        yield url


async def until(condition: Any) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def test_the_openai_client_works_against_the_gateway(make, fake):
    with model_server(fake) as upstream, passed_through(make, upstream) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none")
        assert [model.id for model in client.models.list()] == ["toy-model"]
        assert client.completions.create(model="m", prompt="x").choices[0].text == "hello"
        told = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        assert told.choices[0].message.content == "hello"
        stream = client.completions.create(model="m", prompt="x", stream=True)
        assert [part.choices[0].text for part in stream] == fake.words


def test_the_openai_client_understands_refusals(make, fake):
    fake.status = 500
    with model_server(fake) as upstream, passed_through(make, upstream) as url:
        client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
        with pytest.raises(openai.InternalServerError) as failed:
            client.completions.create(model="m", prompt="x")
        assert (failed.value.status_code, failed.value.code) == (503, "upstream_error")


def test_without_model_servers_the_openai_routes_say_so(client):
    answer = client.post("/v1/completions", content=BODY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_upstream")


def test_the_least_loaded_healthy_server_is_chosen(fake):
    other = FakeModelServer()
    fake.delay = other.delay = 0.5

    async def scene(pool: Pool) -> None:
        calls = [asyncio.ensure_future(pool.call("/v1/completions", {"prompt": str(i)})) for i in range(4)]
        await until(lambda: sum(replica.inflight for replica in pool.replicas) == 4)
        assert [replica.inflight for replica in pool.replicas] == [2, 2]
        await asyncio.gather(*calls)
        assert [replica.inflight for replica in pool.replicas] == [0, 0]

    with model_server(fake) as a, model_server(other) as b:
        with_pool([a, b], scene)
    assert (len(fake.bodies), len(other.bodies)) == (2, 2)


def test_a_dead_server_is_avoided_and_a_call_to_it_is_tried_elsewhere(fake):
    async def scene(pool: Pool) -> None:
        for replica in pool.replicas:
            replica.healthy = True  # as if it had died this moment
        answers = await asyncio.gather(*(pool.call("/v1/completions", {"prompt": "x"}) for _ in range(3)))
        assert all(answer["choices"][0]["text"] == "hello" for answer in answers)
        assert [replica.healthy for replica in pool.replicas] == [False, True]

    with model_server(fake) as alive:
        with_pool([f"http://127.0.0.1:{free_port()}", alive], scene, check_seconds=60)


def test_an_unhealthy_server_gets_no_calls_and_recovers_by_itself(fake):
    async def scene(pool: Pool) -> None:
        fake.healthy = False
        await until(lambda: not pool.healthy())
        with pytest.raises(UpstreamError) as failed:
            await pool.send("POST", "/v1/completions", BODY)
        assert failed.value.code == "upstream_unavailable"
        fake.healthy = True
        await until(pool.healthy)
        assert (await pool.call("/v1/completions", {"prompt": "x"}))["choices"]

    with model_server(fake) as url:
        with_pool([url], scene)


def test_a_slow_server_is_given_up_in_time(fake):
    fake.delay = 5

    async def scene(pool: Pool) -> str:
        with pytest.raises(UpstreamError) as failed:
            await pool.send("POST", "/v1/completions", BODY)
        return failed.value.code

    with model_server(fake) as url:
        assert with_pool([url], scene, read_seconds=0.3) == "upstream_timeout"


def test_a_stream_that_is_left_frees_its_slot_and_the_servers(make, fake):
    fake.delay, fake.words = 0.3, ["word "] * 100
    with model_server(fake) as upstream:
        pool = Pool([upstream], check_seconds=0.2)
        app = make(pool)
        with listening(app) as url:
            wait_until(pool.healthy)
            with httpx.stream(
                "POST", f"{url}/v1/completions", json={"stream": True, "prompt": "x"}, timeout=60
            ) as answer:
                parts = answer.iter_bytes()  # kept: a dropped generator closes the connection
                next(parts)
                assert app.state.gateway.lanes["upstream"].taken == 1
            wait_until(lambda: app.state.gateway.lanes["upstream"].taken == 0)
            assert pool.replicas[0].inflight == 0


def test_a_model_server_that_dies_is_started_again(tmp_path):
    async def scene() -> int:
        command = [sys.executable, "-S", "-c", f"open({str(tmp_path / 'starts')!r}, 'a').write('x')"]
        server = ServerProcess(command, tmp_path / "log")
        await server.start()
        async with asyncio.timeout(120):
            while not (tmp_path / "starts").is_file() or len((tmp_path / "starts").read_text()) < 2:
                await asyncio.sleep(0.05)
        await server.close()
        return len((tmp_path / "starts").read_text())

    assert asyncio.run(scene()) >= 2


def test_closing_ends_a_running_model_server(tmp_path):
    async def scene() -> Any:
        server = ServerProcess([sys.executable, "-S", "-c", "import time; time.sleep(600)"], tmp_path / "log")
        await server.start()
        await server.close()
        assert server.process is not None
        return server.process.poll()

    assert asyncio.run(scene()) is not None


def test_vllm_listens_on_the_loopback_only_and_reads_no_sampling_settings_from_the_folder():
    command = " ".join(vllm_command("runs/x/srpo", 8001, ["--dtype", "float32"]))
    assert "runs/x/srpo --host 127.0.0.1 --port 8001 --generation-config vllm" in command
    assert command.endswith("--served-model-name gream --dtype float32")
