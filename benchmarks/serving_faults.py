"""What survives when things break? Model servers killed, slow and restarted; the gateway killed; bodies of noise.

Run: python benchmarks/serving_faults.py --model runs/tiny_beauty/srpo [--bodies 10000] [--kills 5] [--out FILE]

The model server is a stand-in that speaks enough of OpenAI's API (`--stub`, a process of its own): the faults are those
of the network and of processes, so no weights are needed. Every step says what it expected and what it saw; the script
ends with status 1 when they differ.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from _gateway import GatewayProcess, gateway
from _origin import bench_origin

from genrec.data.files import read_jsonl, write_json
from genrec.serving.upstream.process import free_port

ASK = {"history": ["1", "2"], "mode": "reasoning", "k": 3}


def said(text: str, logprobs: list[float]) -> dict[str, Any]:
    """A completion, or a piece of one."""
    return {"choices": [{"index": 0, "text": text, "logprobs": {"token_logprobs": logprobs}}]}


def stub(port: int) -> None:
    """A model server without a model; POST /slow {"seconds": s} makes it slow."""
    import uvicorn
    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse, Response, StreamingResponse

    app, slow = FastAPI(), [0.0]
    app.get("/health")(lambda: {})
    app.get("/v1/models")(lambda: {"data": [{"id": "stub"}]})

    async def set_slow(request: Request) -> dict[str, float]:
        slow[0] = float((await request.json())["seconds"])
        return {"seconds": slow[0]}

    async def complete(request: Request) -> Response:
        async def events() -> Any:
            for word in ("likes ", "this"):
                await asyncio.sleep(slow[0])
                yield f"data: {json.dumps(said(word, [-1.0]))}\n\n"
            yield "data: [DONE]\n\n"

        if (await request.json()).get("stream"):
            return StreamingResponse(events(), media_type="text/event-stream")
        await asyncio.sleep(2 * slow[0])
        return JSONResponse(said("likes this", [-1.0, -1.0]))

    for function in (set_slow, complete):  # the annotations are names of this function, so FastAPI gets the classes
        function.__annotations__["request"] = Request
        function.__annotations__.pop("return", None)
    app.post("/slow")(set_slow)
    app.post("/v1/completions")(complete)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


def start_stub(port: int) -> subprocess.Popen[bytes]:
    """The stand-in as a process, once it answers."""
    process = subprocess.Popen([sys.executable, __file__, "--stub", str(port)])
    for _ in range(1200):
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200:
                return process
        except httpx.HTTPError:
            time.sleep(0.1)
    raise RuntimeError("the stand-in for a model server did not start")


def ask(url: str, **change: Any) -> int:
    """Status of one recommendation."""
    return httpx.post(f"{url}/v1/recommendations", json={**ASK, **change}, timeout=60, trust_env=False).status_code


def seconds_until(url: str, status: int, limit: float = 60) -> float | None:
    """Seconds until a reasoning request gets a status; None after the limit."""
    started = time.perf_counter()
    while time.perf_counter() - started < limit:
        if ask(url) == status:
            return round(time.perf_counter() - started, 2)
        time.sleep(0.2)
    return None


def upstream_faults(model: Path, folder: Path) -> list[dict[str, Any]]:
    """Kill, restart and slow the model server while direct mode goes on."""
    port = free_port()
    server = start_stub(port)
    steps = []
    extra = ["--attach", f"http://127.0.0.1:{port}", "--upstream-seconds", "2"]
    with gateway(model, folder, extra) as running:
        steps.append(step("healthy", [200, 200], [ask(running.url), ask(running.url, mode="direct")]))
        server.kill()
        server.wait()
        steps.append(
            step(
                "killed: reasoning 503, direct goes on", [503, 200], [ask(running.url), ask(running.url, mode="direct")]
            )
        )
        server = start_stub(port)
        back = seconds_until(running.url, 200)
        steps.append({**step("restarted: recovers by itself", True, back is not None), "seconds": back})
        httpx.post(f"http://127.0.0.1:{port}/slow", json={"seconds": 30}, trust_env=False)
        started = time.perf_counter()
        steps.append(
            step("slow: given up in time", [503, True], [ask(running.url), time.perf_counter() - started < 10])
        )
        httpx.post(f"http://127.0.0.1:{port}/slow", json={"seconds": 0}, trust_env=False)
        back = seconds_until(running.url, 200)
        steps.append({**step("fast again", True, back is not None), "seconds": back})
    server.kill()
    server.wait()
    return steps


def feedback_kills(model: Path, folder: Path, kills: int) -> dict[str, Any]:
    """Kill the gateway in the middle of feedback writes; no acknowledged record may be missing or doubled."""
    told: set[str] = set()
    for round_number in range(kills):
        running = GatewayProcess(model, folder)
        running.wait_ready()
        told |= asyncio.run(_write_until_killed(running, round_number))
    kept = [record["key"] for record in read_jsonl(folder / "feedback.jsonl")]  # a torn last line is left out
    seen = step("feedback: lost, doubled", [0, 0], [len(told - set(kept)), len(kept) - len(set(kept))])
    return {**seen, "acknowledged": len(told), "kills": kills}


async def _write_until_killed(running: GatewayProcess, round_number: int) -> set[str]:
    """Keys that were acknowledged before the kill."""
    told: set[str] = set()

    async def writer(client: httpx.AsyncClient, number: int) -> None:
        for count in range(1_000_000):
            key = f"{round_number}-{number}-{count}"
            body = {"request_id": "r", "user_id": f"u{number}", "item_id": "1", "action": "click", "key": key}
            try:
                answer = await client.post(f"{running.url}/v1/feedback", json=body)
            except httpx.HTTPError:
                return
            if answer.status_code == 201:
                told.add(key)

    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        writers = [asyncio.create_task(writer(client, number)) for number in range(8)]
        await asyncio.sleep(1.0 + random.Random(round_number).random())
        await asyncio.to_thread(running.kill)
        await asyncio.gather(*writers)
    return told


def fuzzed(count: int) -> list[bytes]:
    """Bodies from noise to nearly right ones."""
    dice = random.Random(0)
    values: list[Any] = [None, True, -1, 0, 2**70, 1e308, "", "x" * 5000, "\ud800", [], [[]], {}, {"a": {}}, ["1"],
                         "direct", "reasoning", ["1", "2"], "NaN", 0.5, "' OR 1=1", "<script>", "\x00",
                         ["1"] * 300]  # fmt: skip
    names = ["history", "mode", "scenario", "k", "m", "filters", "diversity", "num_samples", "seed", "audit", "stream",
             "user_id", "other"]  # fmt: skip
    bodies = []
    for number in range(count):
        kind = number % 5
        body: dict[str, Any] = {"history": ["1"], "mode": "direct", "k": 2}
        body |= {dice.choice(names): dice.choice(values) for _ in range(dice.randint(0, 4))}
        text = json.dumps(body).encode()
        if kind == 1:
            text = text[: dice.randint(0, len(text))]
        elif kind == 2:
            place = dice.randrange(len(text))
            text = text[:place] + bytes([dice.randrange(256)]) + text[place + 1 :]
        elif kind == 3:
            text = dice.randbytes(dice.randint(0, 300))
        elif kind == 4 and number % 50 == 4:
            text = b"[" * 30_000
        bodies.append(text)
    return bodies


async def _send_all(url: str, bodies: list[bytes]) -> dict[str, int]:
    """How often each status came; "none" for a request without an answer."""
    counts: dict[str, int] = {}
    gate = asyncio.Semaphore(8)
    async with httpx.AsyncClient(timeout=60, trust_env=False, headers={"content-type": "application/json"}) as client:

        async def one(body: bytes, path: str) -> None:
            async with gate:
                try:
                    status = str((await client.post(url + path, content=body)).status_code)
                except httpx.HTTPError:
                    status = "none"
            counts[status] = counts.get(status, 0) + 1

        paths = ["/v1/recommendations", "/v1/recommendations", "/v1/feedback"]
        await asyncio.gather(*(one(body, paths[i % 3]) for i, body in enumerate(bodies)))
    return counts


def fuzz(model: Path, folder: Path, count: int) -> dict[str, Any]:
    """No 500 and no request without an answer."""
    with gateway(model, folder) as running:
        counts = asyncio.run(_send_all(running.url, fuzzed(count)))
        alive = ask(running.url, mode="direct")
    bad = counts.get("none", 0) + sum(number for status, number in counts.items() if status.startswith("5"))
    return {**step("noise: 5xx or no answer; alive after", [0, 200], [bad, alive]), "statuses": counts}


def step(name: str, expected: Any, seen: Any) -> dict[str, Any]:
    """One expectation and what was seen."""
    fine = expected == seen
    print(f"{'ok  ' if fine else 'FAIL'} {name}: expected {expected}, saw {seen}", flush=True)
    return {"step": name, "expected": expected, "seen": seen, "ok": fine}


def main() -> None:
    """Run every fault and write what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("runs/tiny_beauty/srpo"))
    parser.add_argument("--bodies", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--stub", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path("results/bench_serving_faults.json"))
    options = parser.parse_args()
    if options.stub:
        stub(options.stub)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        steps = upstream_faults(options.model, folder / "upstream")
        steps.append(feedback_kills(options.model, folder / "feedback", options.kills))
        steps.append(fuzz(options.model, folder / "fuzz", options.bodies))
    cases = [{"case": "steps that went as expected", "ours": sum(s["ok"] for s in steps)}]
    facts = {"what": "faults of a served recommender", "peer_name": "none", "unit": f"steps of {len(steps)}"}
    setting = {"bodies": options.bodies, "kills": options.kills}
    write_json(options.out, {**facts, "cases": cases, "setting": setting, "steps": steps, **bench_origin()})
    sys.exit(0 if all(entry["ok"] for entry in steps) else 1)


if __name__ == "__main__":
    main()
