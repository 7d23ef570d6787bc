"""How many recommendations per second, and how late? A gateway under rising load, the client in this second process.

Run: python benchmarks/serving_load.py --model runs/tiny_beauty/srpo [--seconds 10] [--vllm] [--bare_vllm] [--out FILE]

Open loop: requests start at their time whether or not earlier ones were answered, so a slow server cannot slow the
load. The client is aiohttp's: httpx takes several times the CPU per request, on the very cores that serve.
Each mode runs at rising rates; capacity is the highest rate of accepted answers seen; three times that rate follows.
The paper's 100 ms at 1,000 requests/s (direct) and 500 ms at 200 requests/s (reasoning) are figures of GPUs. With
`--vllm` the chains of reasoning come from a vLLM server behind the gateway, with `--bare_vllm` they are asked of one
without a gateway (and without items behind them).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import numpy as np
from _gateway import gateway
from _origin import bench_origin

from genrec.data.files import read_json, write_json

RATES = {"direct": [5, 10, 20, 40, 80, 120, 160], "reasoning": [1, 2, 4, 8, 16]}
THROUGH_VLLM, VLLM_SLOTS = "reasoning, chains from vLLM", 16
FEWEST = 40  # requests per rate: a p95 of fewer is their maximum
PAPER = {"direct": {"p95_ms": 100, "rate": 1000}, "reasoning": {"p95_ms": 500, "rate": 200}}


@dataclass
class Outcome:
    """What became of the requests of one rate: latency of accepted ones, other answers, requests without one."""

    latencies: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    elapsed: float = 0.0  # from the first request to the last answer, seconds

    def note(self, status: int, seconds: float) -> None:
        """Count an answer."""
        self.statuses[str(status)] = self.statuses.get(str(status), 0) + 1
        if status == 200:
            self.latencies.append(seconds)

    def figures(self, rate: float) -> dict[str, Any]:
        """The row of this rate."""
        row: dict[str, Any] = {"rate": rate, "statuses": self.statuses, "lost": self.lost}
        row["accepted_per_s"] = round(len(self.latencies) / self.elapsed, 2)
        if self.latencies:
            marks = np.percentile(self.latencies, (50, 95, 99))
            row |= {f"p{p}_ms": round(1000 * float(v), 1) for p, v in zip((50, 95, 99), marks, strict=True)}
        return row


async def run_rate(
    client: aiohttp.ClientSession, path: str, bodies: list[bytes], rate: float, seconds: float
) -> Outcome:
    """Send requests at a rate for some seconds and wait for every answer."""
    outcome, tasks = Outcome(), []

    async def one(body: bytes) -> None:
        started = time.perf_counter()
        try:
            async with client.post(path, data=body) as answer:
                await answer.read()
            outcome.note(answer.status, time.perf_counter() - started)
        except (aiohttp.ClientError, TimeoutError):
            outcome.lost += 1

    begun = time.perf_counter()
    for number in range(max(FEWEST, int(rate * seconds))):
        await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one(bodies[number % len(bodies)])))
    await asyncio.gather(*tasks)
    outcome.elapsed = time.perf_counter() - begun
    return outcome


async def load(url: str, path: str, bodies: list[bytes], rates: list[float], seconds: float) -> dict[str, Any]:
    """Rising rates, then three times the capacity; three warm-up requests before."""
    shape = {"connector": aiohttp.TCPConnector(limit=2000), "timeout": aiohttp.ClientTimeout(120)}
    headers = {"content-type": "application/json"}
    async with aiohttp.ClientSession(url, headers=headers, **shape) as client:
        for body in bodies[:3]:
            async with client.post(path, data=body) as answer:
                await answer.read()
        rows = []
        for rate in rates:
            rows.append((await run_rate(client, path, bodies, rate, seconds)).figures(rate))
            print(rows[-1], flush=True)
        capacity = max(row["accepted_per_s"] for row in rows)
        over = (await run_rate(client, path, bodies, max(1.0, 3 * capacity), seconds)).figures(3 * capacity)
    unloaded = rows[0].get("p95_ms", float("nan"))
    return {
        "rates": rows, "capacity_per_s": capacity, "three_times_capacity": over,
        "p95_over_unloaded": round(over.get("p95_ms", float("nan")) / unloaded, 2),
    }  # fmt: skip


def bodies_of(model: Path, mode: str, count: int = 200) -> list[bytes]:
    """Requests with random histories of 2 to 20 items."""
    import gzip

    with gzip.open(model / "catalogue.jsonl.gz", "rt", encoding="utf-8") as lines:
        ids = [json.loads(line)["item_id"] for line in lines]
    random = np.random.default_rng(0)
    histories = [[ids[i] for i in random.integers(0, len(ids), random.integers(2, 21))] for _ in range(count)]
    return [json.dumps({"history": history, "mode": mode, "k": 10}).encode() for history in histories]


def bare_vllm(model: Path, folder: Path, rates: list[float], seconds: float) -> dict[str, Any]:
    """The same chains from `vllm serve` alone, without items behind them."""
    from genrec.llm.vllm_cpu import CPU_ARGUMENTS, vllm_environment
    from genrec.serving.upstream.process import ServerProcess, free_port, vllm_command
    from gream.recommend import GreamRecommender

    recommender = GreamRecommender.from_pretrained(model)
    histories = [json.loads(body)["history"] for body in bodies_of(model, "reasoning", 50)]
    prompts = [recommender.runner.reasoning_ids([recommender.catalogue.index_of(i) for i in h]) for h in histories]
    port = free_port()
    server = ServerProcess(
        vllm_command(model, port, [*CPU_ARGUMENTS, "--max-model-len", "512"]),
        folder / "vllm.log",
        vllm_environment(),
    )
    shared = {
        "model": "gream",
        "max_tokens": 96,
        "temperature": 0.0,
        "stop": ["</think>"],
        "skip_special_tokens": False,
    }
    bodies = [json.dumps({**shared, "prompt": prompt}).encode() for prompt in prompts]

    async def scene() -> dict[str, Any]:
        await server.start()
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                while True:
                    try:
                        if (await client.get(f"http://127.0.0.1:{port}/health")).status_code == 200:
                            break
                    except httpx.HTTPError:
                        pass  # still starting
                    await asyncio.sleep(0.5)
            return await load(f"http://127.0.0.1:{port}", "/v1/completions", bodies, rates, seconds)
        finally:
            await server.close()

    return asyncio.run(scene())


def cases_of(modes: dict[str, Any]) -> list[dict[str, Any]]:
    """Lines for the table of benchmarks: capacity of each mode, p95 at a moderate load and under overload."""
    bare = (modes.get("bare vllm serve") or {}).get("capacity_per_s")
    lines: list[dict[str, Any]] = []
    for mode in ("direct", "reasoning", THROUGH_VLLM):
        if mode not in modes:
            continue
        line: dict[str, Any] = {"case": f"{mode}, capacity", "unit": "requests/s", "peer_name": "none"}
        line["ours"] = modes[mode]["capacity_per_s"]
        if mode != "direct" and bare:
            line |= {"peer_name": "bare vllm serve", "peer": bare, "ratio": round(line["ours"] / bare, 2)}
        lines.append(line)
        lines += [
            {"case": f"{mode}, p95 at {row['rate']:g} requests/s", "unit": "ms", "ours": row["p95_ms"],
             "peer_name": "none"}
            for row in modes[mode]["rates"] if row["rate"] == (20 if mode == "direct" else 1)
        ]  # fmt: skip
        over = {"case": f"{mode}, p95 of accepted requests at 3 times the capacity, over that at the lowest rate"}
        lines.append({**over, "unit": "ratio", "ours": modes[mode]["p95_over_unloaded"], "peer_name": "none"})
    return lines


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("runs/tiny_beauty/srpo"))
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each rate")
    parser.add_argument("--modes", nargs="+", default=["direct", "reasoning"])
    parser.add_argument("--rates", type=float, nargs="+", help="instead of the usual ones")
    parser.add_argument("--serve", nargs="+", default=[], metavar="ARGUMENT", help="further arguments of gream serve")
    parser.add_argument("--vllm", action="store_true", help="also reasoning with `gream serve --engine vllm`")
    parser.add_argument("--bare_vllm", action="store_true", help="also chains of `vllm serve` without a gateway")
    parser.add_argument("--out", type=Path, default=Path("results/bench_serving_load.json"))
    options = parser.parse_args()
    modes: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        with gateway(options.model, Path(folder), options.serve) as running:
            for mode in options.modes:
                rates = options.rates or RATES[mode]
                bodies = bodies_of(options.model, mode)
                modes[mode] = asyncio.run(load(running.url, "/v1/recommendations", bodies, rates, options.seconds))
        if options.vllm:
            extra = [*options.serve, "--engine", "vllm", "--reasoning-slots", str(VLLM_SLOTS)]
            bodies, rates = bodies_of(options.model, "reasoning"), options.rates or [*RATES["reasoning"], 32]
            with gateway(options.model, Path(folder) / "vllm", extra) as running:
                modes[THROUGH_VLLM] = asyncio.run(
                    load(running.url, "/v1/recommendations", bodies, rates, options.seconds)
                )
        if options.bare_vllm:
            modes["bare vllm serve"] = bare_vllm(
                options.model, Path(folder), options.rates or RATES["reasoning"], options.seconds
            )
    figures = {
        "what": "recommendations under rising load", "unit": "ms", "peer_name": "the paper, on GPUs (not comparable)",
        "modes": modes, "paper": PAPER, "checkpoint": read_json(options.model / "gream.json"), "cases": cases_of(modes),
        "setting": {"seconds": options.seconds, "serve": options.serve}, **bench_origin(),
    }  # fmt: skip
    print(
        json.dumps({mode: {k: v for k, v in facts.items() if k != "rates"} for mode, facts in modes.items()}, indent=2)
    )
    write_json(options.out, figures)


if __name__ == "__main__":
    main()
