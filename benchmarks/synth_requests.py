"""What do journal, limits, retries and filters cost over a plain loop around the same client?

Run: python benchmarks/synth_requests.py [--requests 10000] [--runs 5] [--out FILE]

A local server in a process of its own answers after 50 ms, 64 requests at once. `ours` is the command `items` as a
user runs it. The peers render the same prompts and send the same requests with `asyncio.gather` and `AsyncOpenAI`,
without resume: `plain` reads the JSON and writes the rows, `checked` also validates the schema and runs the filters.
Runs alternate, each in a fresh process, and medians are compared; the target is ours / plain at most 1.15 of wall
time. A last run has a fifth of the answers failing in nine ways and counts rows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from _origin import bench_origin

from data_synthesis.commands import synthesize_texts
from data_synthesis.config import EngineConfig
from data_synthesis.core.answers import parse_answer
from data_synthesis.core.asking import JobConfig
from data_synthesis.engines import Answer, Prompt
from data_synthesis.engines.openai_server import ServerEngine
from data_synthesis.engines.wire import chat_request
from data_synthesis.filters import FilterOptions
from data_synthesis.prompts.door import TrainingView
from data_synthesis.tasks.texts import TextConfig, TextTask
from genrec.data import Catalogue, Dataset
from genrec.data.files import write_json
from genrec.data.texts import read_texts, write_rows

SERVER = Path(__file__).parents[1] / "tests" / "data_synthesis" / "misbehaving_server.py"
AT_ONCE, DELAY, FAILURES, TARGET = 64, 0.05, 0.2, 1.15
OPTIONS = FilterOptions(near_duplicates=0)  # a search over all rows at the end, which the peers would need as well
KINDS = ("ours", "plain", "checked")


def shop(num_items: int) -> Dataset:
    """A catalogue of so many items; nobody's history matters for descriptions."""
    brands, things = ("Northfell", "Bellmore", "Velvane", "Hartwood"), ("Tent", "Grinder", "Top Coat", "Guitar Strap")
    records = [
        {"item_id": f"i{n}", "title": f"{brands[n % 4]} {things[n // 4 % 4]} Model {n}", "categories": ["Shop"]}
        for n in range(num_items)
    ]
    return Dataset("shop", [np.arange(5)], ["u0"], Catalogue.from_records(records))


@contextmanager
def server(*words: str) -> Iterator[str]:
    """The local server in a process of its own; yields its address."""
    process = subprocess.Popen([sys.executable, str(SERVER), *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()


def run_ours(data: Dataset, url: str, out: Path, **limits: Any) -> None:
    """The command `items`."""
    config = TextConfig(attempts=8)
    job = JobConfig(**{"concurrency": AT_ONCE} | limits)
    synthesize_texts("items", data, config, out, _engine(url, job.timeout), job, OPTIONS)


def run_peer(data: Dataset, url: str, out: Path, *, checked: bool) -> None:
    """The loop that a script would have."""
    engine = _engine(url, 120.0)
    task = TextTask("items", TrainingView(data), TextConfig(), OPTIONS, engine)
    keep = _keep_checked(task) if checked else _keep_plain
    write_rows(out, asyncio.run(_gather(url, task, engine, keep)))


async def _gather(url: str, task: TextTask, engine: ServerEngine, keep: Callable[[Prompt, str], Any]) -> list[Any]:
    """Asks everything at once, 64 under way."""
    import openai

    free = asyncio.Semaphore(AT_ONCE)
    async with openai.AsyncOpenAI(api_key="none", base_url=url, max_retries=2, timeout=120.0) as client:

        async def one(prompt: Prompt) -> Any:
            async with free:
                found = await client.chat.completions.create(**chat_request(engine.config, prompt, schemas=True))
            return keep(prompt, found.choices[0].message.content or "")

        return list(await asyncio.gather(*(one(prompt) for prompt in task.prompts())))


def _keep_plain(prompt: Prompt, text: str) -> Any:
    from genrec.data.texts import TextRecord

    return TextRecord("items", prompt.key, json.loads(text))


def _keep_checked(task: TextTask) -> Callable[[Prompt, str], Any]:
    def keep(prompt: Prompt, text: str) -> Any:
        record = task.read(prompt, parse_answer(Answer(text), prompt.schema))
        assert task.judge(record) is None
        assert task.accept(record)
        return record

    return keep


def _engine(url: str, timeout: float) -> ServerEngine:
    return ServerEngine(EngineConfig(engine="openai", model="m", base_url=url), timeout)


def one_run(kind: str, requests: int, url: str) -> dict[str, float]:
    """Wall and CPU seconds of one run in this process, from the first prompt to the written file."""
    import openai
    import openai.resources.chat.completions  # noqa: F401  # loaded lazily; no kind pays for it

    data = shop(requests)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "items.jsonl"
        wall, cpu = time.perf_counter(), time.process_time()
        run_ours(data, url, out) if kind == "ours" else run_peer(data, url, out, checked=kind == "checked")
        spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        assert [row.subject for row in read_texts(out)] == data.catalogue.item_ids
    return spent


def compare(requests: int, runs: int, kinds: Sequence[str]) -> Iterator[dict[str, dict[str, list[float]]]]:
    """Alternating runs, each in a fresh process; yields after each round: kind -> "wall", "cpu" -> seconds per run."""
    found: dict[str, dict[str, list[float]]] = {kind: {"wall": [], "cpu": []} for kind in kinds}
    command = [sys.executable, __file__, "--requests", str(requests)]
    for number in range(runs):
        for kind in kinds if number % 2 == 0 else kinds[::-1]:
            with server("--delay", str(DELAY)) as url:
                done = subprocess.run([*command, "--one", kind, url], capture_output=True, text=True, check=True)
            spent = json.loads(done.stdout.splitlines()[-1])
            for name, seconds in spent.items():
                found[kind][name].append(round(seconds, 3))
            print(number, kind, spent, flush=True)
        yield found


def failing_run(requests: int) -> dict[str, Any]:
    """A fifth of the answers fails: how often does each row arrive, and which ways of failing were met?"""
    from urllib.request import urlopen

    data = shop(requests)
    with server("--failures", str(FAILURES), "--slow", "3") as url, tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "items.jsonl"
        run_ours(data, url, out, timeout=2.0, retry_wait=0.05, retries=10)
        seen = Counter(row.subject for row in read_texts(out))
        log = json.load(urlopen(url.removesuffix("/v1") + "/log"))
    return {
        "rows_wanted": requests,
        "rows_once": sum(count == 1 for count in seen.values()),
        "rows_twice": sum(count > 1 for count in seen.values()),
        "failures_met": dict(sorted(Counter(entry["mode"] for entry in log if entry["mode"] != "good").items())),
    }


def summary(found: dict[str, dict[str, list[float]]], requests: int) -> list[dict[str, Any]]:
    """One case per peer and measure: medians, their ratio and all runs."""
    cases = []
    for peer in list(found)[1:]:
        for name, unit, scale in (("wall", "s", 1.0), ("cpu", "CPU ms per request", 1000 / requests)):
            ours, theirs = (statistics.median(found[kind][name]) * scale for kind in ("ours", peer))
            cases.append(
                {
                    "case": f"{name} time, against the {peer} loop",
                    "unit": unit,
                    "peer_name": f"{peer} gather loop",
                    "ours": round(ours, 3),
                    "peer": round(theirs, 3),
                    "ratio": round(ours / theirs, 3),
                    **({"target": TARGET} if (peer, name) == ("plain", "wall") else {}),
                    "runs": {"ours": found["ours"][name], peer: found[peer][name]},
                }
            )
    return cases


def main() -> None:
    """Measure, print the ratios, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5, help="runs per kind, alternating")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS, help="ours first")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "URL"), help="one run in this process (used by the others)")
    parser.add_argument("--out", type=Path, default=Path("results/bench_synth_requests.json"))
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one_run(options.one[0], options.requests, options.one[1])))
        return
    failing = failing_run(min(options.requests, 2_000))
    print(failing, flush=True)
    for found in compare(options.requests, options.runs, options.kinds):  # written after each round: it may be stopped
        write_json(options.out, report(found, options.requests, failing))
    for case in summary(found, options.requests):
        print("{case}: ours {ours}, peer {peer} {unit}, ratio {ratio}".format(**case))


def report(found: dict[str, dict[str, list[float]]], requests: int, failing: dict[str, Any]) -> dict[str, Any]:
    """The content of the result file."""
    setting = {
        "requests": requests,
        "at_once": AT_ONCE,
        "seconds_per_answer": DELAY,
        "runs": len(found["ours"]["wall"]),
        "load_average": round(os.getloadavg()[0], 1),
    }
    return {
        "what": "gream-synth items against gather loops over AsyncOpenAI, local server; medians, ratio: ours over it",
        "cases": summary(found, requests),
        "setting": setting,
        "a_fifth_fails": failing,
        **bench_origin(),
    }


if __name__ == "__main__":
    main()
