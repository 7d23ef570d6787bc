"""The Batch API: cheap answers, nothing submitted twice, whatever the phase of a kill."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_synthesis.cli import UNAVAILABLE, main
from data_synthesis.job import batches_path, statistics_path
from genrec.data.texts import read_texts

Serve = Callable[..., Any]
ROWS = 24


def _command(out: Path, server: Any, *words: str) -> list[str]:
    settings = ["--data", "toy", "--engine", "openai_batch", "--model", "m", "--quiet", "--retry_wait", "0.01"]
    settings += ["poll_seconds=0.02", f"max_rows={ROWS}", "near_duplicates=0"]
    return ["items", "--out", str(out), "--base_url", server.url, *settings, *words]


def test_every_row_arrives_once_although_lines_of_batches_fail(serve: Serve, tmp_path: Path) -> None:
    server, out = serve("--failures", "0.3"), tmp_path / "a.jsonl"
    assert main(_command(out, server, "attempts=6")) == 0
    assert len({row.subject for row in read_texts(out)}) == len(read_texts(out)) == ROWS
    assert {entry["mode"] for entry in server.log()} == {"good", "invalid_json", "rate_limit", "error"}
    assert not batches_path(out).exists(), "a finished job leaves no state behind"
    found = json.loads(statistics_path(out).read_text())
    assert found["engine"]["engine"] == "openai_batch"
    assert found["rejected_attempts"]["invalid_json"] >= 1


def test_what_an_expired_batch_left_out_goes_into_the_next(serve: Serve, tmp_path: Path) -> None:
    server, out = serve("--batch_ends", "expired"), tmp_path / "a.jsonl"
    assert main(_command(out, server)) == 0
    assert len(read_texts(out)) == ROWS
    asked = Counter(entry["subject"] for entry in server.log())
    assert set(asked.values()) == {1}


def test_refused_batch_ends_the_job_with_the_servers_words(
    serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server, out = serve("--batch_ends", "failed"), tmp_path / "a.jsonl"
    assert main(_command(out, server)) == UNAVAILABLE
    assert "bad model" in caplog.text
    assert main(_command(out, server)) == 0, "the next run submits anew"


def test_batches_have_their_size_and_servers_without_schemas_are_asked_in_words(serve: Serve, tmp_path: Path) -> None:
    server, out = serve("--no_schemas"), tmp_path / "a.jsonl"
    assert main(_command(out, server, "batch_requests=9")) == 0
    assert len(read_texts(out)) == ROWS


def test_key_is_in_no_file_and_no_log(serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    server, out = serve("--batch_ends", "failed"), tmp_path / "a.jsonl"
    main(_command(out, server))
    written = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "sk-test-secret" not in written + caplog.text


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from data_synthesis.engines import openai_batch
from data_synthesis.engines.batch_state import BatchState
from data_synthesis.cli import main
from data_synthesis.journal import Journal
import jsonschema, openai, openai.resources.chat.completions, openai.resources.batches, openai.resources.files

words = sys.argv[1:]

def dies(*ignored, **also):
    os.kill(os.getpid(), signal.SIGKILL)

def before_upload_is_noted():
    BatchState.uploaded = dies

def between_upload_and_batch():
    openai_batch.BatchApiEngine._create = dies

def before_batch_is_noted():
    BatchState.created = dies

def while_polling():
    sleep = asyncio.sleep
    asyncio.sleep = lambda seconds, *rest: dies() if seconds == 0.02 else sleep(seconds, *rest)

def while_collecting():
    openai_batch._lines_by_id = dies

def while_journalling():
    append, rows = Journal.append, []
    def some(journal, row, **also):
        append(journal, row, **also)
        rows.append(row)
        if len(rows) == 7:
            dies()
    Journal.append = some

from data_synthesis import commands
from genrec.data import load_dataset
toy = load_dataset("toy")
view = commands.view_of(toy, commands.TextConfig())
commands.view_of = lambda dataset, config: view  # made before the fork: polars' threads do not survive one
commands.load_dataset = lambda name: toy
for phase in (before_upload_is_noted, between_upload_and_batch, before_batch_is_noted, while_polling,
              while_collecting, while_journalling):
    child = os.fork()
    if child == 0:
        phase()
        main(words)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print(phase.__name__, os.WIFSIGNALED(status))
sys.exit(main(words))
"""


def test_a_kill_in_any_phase_submits_nothing_twice(serve: Serve, tmp_path: Path) -> None:
    server, out = serve(), tmp_path / "a.jsonl"
    command = [sys.executable, "-c", KILLED, *_command(out, server)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    phases = dict(line.split() for line in done.stdout.splitlines())
    assert set(phases.values()) == {"True"}, f"a phase was not reached: {phases}"
    assert len(phases) == 6
    assert len(read_texts(out)) == ROWS
    assert Counter(Counter(entry["subject"] for entry in server.log()).values()) == {1: ROWS}
