"""Where a result comes from: the recorded command, without credentials, and the facts of the machine."""

import re
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
