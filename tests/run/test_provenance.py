"""Where a result comes from: the recorded command, without credentials, and the facts of the machine."""

import re
import subprocess
import sys

import pytest

from genrec.metrics.memory import peak_memory_gib
from genrec.run.provenance import command_line, git_revision, hardware, library_versions


@pytest.mark.parametrize(
    ("typed", "recorded"),
    [
        (["--hub_token", "X", "--seed", "1"], "--hub_token *** --seed 1"),
        (["--x_api_key=Y", "--seed=1"], "--x_api_key=*** --seed=1"),
        (["--hub-token", "X"], "--hub-token ***"),
        (["--model_init_kwargs", '{"token": "X", "a": "b"}'], '--model_init_kwargs {"token": "***", "a": "b"}'),
        (['--model_init_kwargs={"api_key":"X"}'], '--model_init_kwargs={"api_key":"***"}'),
        (["--eos_token", "</s>", "--max_new_tokens", "9"], "--eos_token </s> --max_new_tokens 9"),
    ],
)
def test_the_recorded_command_shows_no_credential(monkeypatch, typed, recorded):
    monkeypatch.setattr(sys, "argv", ["recipes/a_b.py", *typed])
    assert command_line() == f"recipes/a_b.py {recorded}"


def test_facts_of_the_machine(tmp_path):
    assert re.match(r"^[0-9a-f]{10}(\+changes)?$|^unknown$", git_revision())
    assert git_revision(tmp_path) == "unknown"
    assert library_versions()["numpy"].count(".") >= 1
    assert "cores" in hardware()
    assert 0.01 < peak_memory_gib() < 1000


def test_figures_of_an_earlier_run_do_not_make_a_checkout_dirty(tmp_path):
    def git(*words):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True)

    (tmp_path / "results").mkdir()
    for name in ("code.py", "results/a.json", "RESULTS.md"):
        (tmp_path / name).write_text("1")
    git("init")
    git("add", ".")
    git("commit", "-m", "first")
    (tmp_path / "results/a.json").write_text("2")
    (tmp_path / "RESULTS.md").write_text("2")
    assert re.fullmatch("[0-9a-f]{10}", git_revision(tmp_path))
    (tmp_path / "code.py").write_text("2")
    assert git_revision(tmp_path).endswith("+changes")
