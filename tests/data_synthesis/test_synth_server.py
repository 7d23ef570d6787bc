"""Against a server that misbehaves: every valid row once, nothing lost in a kill, no key anywhere."""

import errno
import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_synthesis.cli import CAP, INTERRUPTED, UNAVAILABLE, main
from data_synthesis.job import partial_path, rejects_path, statistics_path
from data_synthesis.journal import Journal
from genrec.data import Dataset
from genrec.data.chains import read_chains
from genrec.data.texts import read_texts

Serve = Callable[..., Any]
FAST = ["--timeout", "60", "--retry_wait", "0.01", "--quiet", "--data", "toy", "--model", "m", "--engine", "openai"]


def _command(name: str, out: Path, server: Any, *words: str) -> list[str]:
    return [name, "--out", str(out), "--base_url", server.url, *FAST, *words]


def test_with_a_fifth_of_answers_failing_every_row_arrives_once(serve: Serve, tmp_path: Path, toy: Dataset) -> None:
    server = serve("--failures", "0.2", "--slow", "0.8")
    out = tmp_path / "items.jsonl"
    assert main(_command("items", out, server, "--near_duplicates", "0", "attempts=8", "retries=8", "timeout=0.6")) == 0
    rows = read_texts(out)
    assert [row.subject for row in rows] == toy.catalogue.item_ids
    for row, title in zip(rows, toy.catalogue.titles, strict=True):
        assert row.texts["description"].startswith(title), "an answer to another question got in"
    assert len({entry["mode"] for entry in server.log()}) >= 8
    counts = json.loads(statistics_path(out).read_text())["rejected_attempts"]
    reasons = {"invalid_json": "invalid_json", "wrong_schema": "wrong_schema", "no_choices": "empty_answer"}
    assert {reasons[entry["mode"]] for entry in server.log() if entry["mode"] in reasons} <= set(counts)
    assert sum(counts.values()) == len(rejects_path(out).read_text().splitlines())


@pytest.mark.parametrize("command", ["users", "preferences", "rewrite", "reasons", "cot"])
def test_every_command_writes_its_rows(serve: Serve, tmp_path: Path, command: str) -> None:
    out = tmp_path / f"{command}.jsonl"
    limit = "max_chains=12" if command == "cot" else "max_rows=12"
    assert main(_command(command, out, serve(), limit, "near_duplicates=0", "attempts=1")) == 0
    rows = read_chains(out) if command == "cot" else read_texts(out)
    events = json.loads(statistics_path(out).read_text())["events"]
    assert events["read"] == 12
    assert 0 < len(rows) == events["accepted"]


def test_parquet_holds_the_same_rows(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    for name in ("a.jsonl", "a.parquet"):
        assert main(_command("rewrite", tmp_path / name, server, "max_rows=5", "near_duplicates=0")) == 0
    assert read_texts(tmp_path / "a.jsonl") == read_texts(tmp_path / "a.parquet")


def test_server_without_schemas_is_asked_in_words(serve: Serve, tmp_path: Path) -> None:
    server = serve("--no_schemas")
    assert main(_command("items", tmp_path / "a.jsonl", server, "max_rows=4", "near_duplicates=0")) == 0
    assert main(_command("items", tmp_path / "b.jsonl", server, "max_rows=4", "structured=schema")) == UNAVAILABLE


def test_cap_stops_before_it_is_passed_and_a_higher_one_continues(serve: Serve, tmp_path: Path) -> None:
    server, out = serve(), tmp_path / "items.jsonl"
    words = ["max_rows=30", "near_duplicates=0", "max_output_tokens=100"]
    assert main(_command("items", out, server, *words, "max_tokens=2500")) == CAP
    rows = [json.loads(line) for line in partial_path(out).read_text().splitlines()][1:]
    assert 0 < sum(sum(row["usage"]) for row in rows) <= 2500
    before = len(server.log())
    assert main(_command("items", out, server, *words)) == 0
    assert len(server.log()) - before == 30 - len(rows)
    assert json.loads(statistics_path(out).read_text())["tokens"] == {"prompt": 3000, "completion": 600}


def test_dead_server_ends_the_job_with_its_code(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    server.stop()
    assert main(_command("items", tmp_path / "a.jsonl", server, "max_rows=20", "retries=1")) == UNAVAILABLE
    assert not (tmp_path / "a.jsonl").exists()


@pytest.mark.parametrize("status", ["401", "400", "500"])
def test_key_is_nowhere(
    serve: Serve, tmp_path: Path, status: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve("--echo_key", status)
    main(_command("items", tmp_path / "a.jsonl", server, "max_rows=9", "retries=1", "attempts=1"))
    written = "".join(path.read_text() for path in tmp_path.iterdir())
    captured = capfd.readouterr()
    assert "sk-test-secret" not in caplog.text + written + captured.out + captured.err
    assert status in caplog.text + written


ASK_ONCE = """
import asyncio
from data_synthesis.config import EngineConfig
from data_synthesis.engines import Prompt
from data_synthesis.engines.openai_server import ServerEngine
engine = ServerEngine(EngineConfig(engine="openai", model="m", base_url=URL))
print(engine, engine.config)
messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "title: A"}]
asyncio.run(engine.complete(Prompt("k", lambda: messages, {})))
"""


def test_key_is_not_in_a_traceback(serve: Serve, tmp_path: Path) -> None:
    url = serve("--echo_key", "401").url
    done = subprocess.run([sys.executable, "-c", f"URL = {url!r}\n{ASK_ONCE}"], capture_output=True, text=True)
    assert "Fatal: HTTP 401" in done.stderr
    assert "sk-test-secret" not in done.stdout + done.stderr


def test_key_is_refused_on_the_command_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert main(["items", "--data", "toy", "--out", str(tmp_path / "a"), "api_key=sk-typed"]) == 2
    (tmp_path / "c.yaml").write_text("api_key: sk-typed\n")
    assert main(["items", "--config", str(tmp_path / "c.yaml")]) == 2
    assert "sk-typed" not in caplog.text
    assert "environment" in caplog.text


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_continues(serve: Serve, tmp_path: Path) -> None:
    server, out = serve("--delay", "0.05"), tmp_path / "a.jsonl"
    words = _command("items", out, server, "max_rows=40", "near_duplicates=0", "concurrency=4", "timeout=60")
    process = subprocess.Popen([sys.executable, "-m", "data_synthesis", *words], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (partial_path(out).exists() and partial_path(out).stat().st_size > 1000):
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=100)[1]
    assert process.returncode == INTERRUPTED
    assert "interrupted: finished answers are kept" in said
    assert "Traceback" not in said
    kept = len(partial_path(out).read_text().splitlines()) - 1
    before = len(server.log())
    assert main(words) == 0
    assert len(server.log()) - before == 40 - kept > 0


def test_full_disk_ends_the_job_and_the_same_command_continues(
    serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, out = serve(), tmp_path / "a.jsonl"
    words = _command("items", out, server, "max_rows=20", "near_duplicates=0", "concurrency=1")
    write, rows = Journal._write, []

    def full(journal: Journal, row: dict[str, Any]) -> None:
        rows.append(row)
        if len(rows) == 8:  # the header and six answers fit
            raise OSError(errno.ENOSPC, "No space left on device")
        write(journal, row)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "_write", full)
        assert main(words) == UNAVAILABLE
    assert main(words) == 0
    assert len(read_texts(out)) == 20
    assert len(server.log()) == 21, "only the answer that the disk refused is asked for again"


KILLED = """
import faulthandler, json, os, random, signal, sys, time, traceback, urllib.request
from pathlib import Path
from data_synthesis import commands
from data_synthesis.config import EngineConfig
from data_synthesis.core.asking import JobConfig
from data_synthesis.engines.openai_server import ServerEngine
from data_synthesis.filters import FilterOptions
from data_synthesis.job import partial_path
from data_synthesis.tasks.texts import TextConfig
from genrec.data import load_dataset
import jsonschema, openai, tenacity

faulthandler.dump_traceback_later(200, exit=True)
url, out, kills = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
toy, config = load_dataset("toy"), TextConfig(attempts=5)
view = commands.view_of(toy, config)
commands.view_of = lambda dataset, config: view  # made before the fork: polars' threads do not survive one
journal = partial_path(out)

def work():
    engine = ServerEngine(EngineConfig(engine="openai", model="m", base_url=url))
    job, options = JobConfig(concurrency=4, retry_wait=0.01), FilterOptions(near_duplicates=0)
    commands.synthesize_texts("items", toy, config, out, engine, job, options, progress=False)

def kept():
    lines = journal.read_bytes().splitlines(keepends=True)
    rows = [json.loads(line) for line in lines[1:] if line.endswith(b"\\n")]
    return [row["key"] for row in rows if row["reason"] is None]

rng, seen = random.Random(5), []
for _ in range(kills):
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
        os._exit(0)
    wanted = (journal.stat().st_size if journal.exists() else 0) + rng.randrange(1, 1500)
    while not os.waitpid(child, os.WNOHANG)[0] and not (journal.exists() and journal.stat().st_size >= wanted):
        time.sleep(0.0005)
    time.sleep(rng.uniform(0, 0.01))
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        sys.exit("the job was done before its last kill")
    seen.append([len(json.load(urllib.request.urlopen(url.removesuffix("/v1") + "/log"))), kept()])
work()
print(json.dumps(seen))
"""


def test_twenty_kills_lose_nothing_and_pay_nothing_twice(serve: Serve, tmp_path: Path) -> None:
    server, whole = serve("--delay", "0.01", "--failures", "0.1", "--modes", "error", "invalid_json"), serve()
    command = [sys.executable, "-c", KILLED]
    out, other = tmp_path / "killed.jsonl", tmp_path / "whole.jsonl"
    done = subprocess.run([*command, server.url, str(out), "20"], capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    assert main(_command("items", other, whole, "near_duplicates=0", "attempts=5")) == 0
    ours, theirs = read_texts(out), read_texts(other)
    assert [(row.subject, row.texts) for row in ours] == [(row.subject, row.texts) for row in theirs]
    assert len({row.subject for row in ours}) == len(ours)
    seen = json.loads(done.stdout)
    finished = [len(keys) for _, keys in seen]
    assert len(set(finished)) > 10, f"the kills came too early or too late: {finished}"
    _nothing_is_asked_again(server.log(), seen, {row.texts["description"]: row.subject for row in ours})


def _nothing_is_asked_again(log: list[dict[str, str]], seen: list[Any], subjects: dict[str, str]) -> None:
    """After a kill no question is put whose accepted answer was in the journal."""
    by_title = {text.partition(" is an item")[0]: subject for text, subject in subjects.items()}
    asked = [by_title[entry["subject"].splitlines()[1].removeprefix("title: ")] for entry in log]
    for at, keys in seen:
        assert not set(keys) & set(asked[at:])
