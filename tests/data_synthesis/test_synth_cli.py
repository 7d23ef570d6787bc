"""The other commands and the three ways to give a setting."""

import argparse
import json
import re
from pathlib import Path

import pytest

from data_synthesis.cli import main
from data_synthesis.config import EngineConfig
from data_synthesis.core.asking import JobConfig
from data_synthesis.options import expand
from data_synthesis.prompts.wording import COMMANDS
from genrec.data.chains import read_chains


def test_config_file_pairs_and_flags_override_in_this_order(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        f"data: toy\nout: {tmp_path / 'a.jsonl'}\nmax_chains: 7\nstyle: full\nquiet: true\noverwrite: false\n"
    )
    assert main(["cot", "--config", str(config), "max_chains=5"]) == 0
    assert len(read_chains(tmp_path / "a.jsonl")) == 5
    assert read_chains(tmp_path / "a.jsonl")[0].teacher == "offline-rules-full"


@pytest.mark.parametrize("content", ["max_chain: 3\n", "- 3\n", "engine: {model: x}\n"])
def test_unknown_or_nested_entries_are_errors(tmp_path: Path, content: str) -> None:
    (tmp_path / "c.yaml").write_text(content)
    try:
        code = main(["cot", "--data", "toy", "--out", str(tmp_path / "a"), "--config", str(tmp_path / "c.yaml")])
    except SystemExit as stop:
        code = int(str(stop.code))
    assert code == 2


def test_values_with_equals_signs_survive() -> None:
    assert expand(["cot", "--data", "a", "base_url=http://x/v1?a=b"]) == [
        "cot",
        "--data",
        "a",
        "--base_url=http://x/v1?a=b",
    ]
    assert expand(["cot", "--out", "a=b.jsonl", "--quiet", "seed=1"]) == [
        "cot",
        "--out",
        "a=b.jsonl",
        "--quiet",
        "--seed=1",
    ]


def test_text_commands_need_a_model(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert main(["items", "--data", "toy", "--out", str(tmp_path / "a")]) == 2
    assert "set --engine and --model" in caplog.text


def test_estimate_adds_up_without_asking(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", "toy", "--engine", "openai", "--model", "m", "--price_in", "1000000", "--price_out", "0"]
    assert main(["estimate", "items", *words, "max_rows=10"]) == 0
    lines = dict(line.rsplit(None, 1) for line in capsys.readouterr().out.splitlines() if "minutes" not in line)
    assert lines["requests"] == "10"
    assert float(lines["money, about"]) == float(lines["prompt tokens, at most"].replace(",", ""))


def test_estimate_counts_a_request_per_field_where_answers_are_written_so(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", "toy", "--engine", "openai", "--model", "m", "--max_output_tokens", "100", "max_chains=10"]
    found = {}
    for stepwise in ("false", "true"):
        assert main(["estimate", "cot", *words, f"stepwise={stepwise}"]) == 0
        found[stepwise] = dict(re.split(r"\s{2,}", line) for line in capsys.readouterr().out.splitlines())
    assert [found[s]["requests"] for s in ("false", "true")] == ["10", "50"]  # five fields
    assert [found[s]["answer tokens, at most"] for s in ("false", "true")] == ["1,000", "5,000"]
    assert [found[s]["answer tokens, about"] for s in ("false", "true")] == ["1,000", "4,200"]  # 5 x 60 x 1.4 x 10


def test_estimate_of_all_commands_ends_with_their_sum(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", "toy", "--engine", "openai", "--model", "m", "--price_in", "1", "--price_out", "1"]
    assert main(["estimate", "all", *words, "max_rows=10", "max_chains=10"]) == 0
    rows = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()[1:]}
    assert set(rows) == {*COMMANDS, "all"}
    assert [row[0] for row in rows.values()] == ["10"] * 6 + ["60"]
    tokens = {name: int(row[1].replace(",", "")) for name, row in rows.items()}
    assert tokens["all"] == sum(tokens[name] for name in COMMANDS)


def test_check_passes_the_teachers_file_and_finds_a_planted_leak(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "c.jsonl"
    main(["cot", "--data", "toy", "--out", str(out), "--max_chains", "20", "--quiet"])
    assert main(["check", str(out), "--data", "toy"]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    rows[4]["behaviour"] += " <a_1><b_2>"
    rows[7]["history"] = ["no such item"]
    out.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["check", str(out), "--data", "toy"]) == 5
    text = capsys.readouterr().out
    assert "20 rows, 2 rejected" in text
    assert "first in row 5" in text
    assert "first in row 8" in text


def test_show_prints_rows_without_control_characters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.jsonl"
    row = {"kind": "users", "subject": "u", "texts": {"description": "red \u001b[31m and \u202e back"}, "teacher": "m"}
    path.write_text((json.dumps(row) + "\n") * 3)
    assert main(["show", "2", str(path)]) == 0
    text = capsys.readouterr().out
    assert text.count("users of u by m") == 2
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_engine_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="needs a model"):
        EngineConfig(engine="openai")
    with pytest.raises(ValueError, match="password"):
        EngineConfig(engine="openai", model="m", base_url="http://me:pw@host/v1")


def test_no_key_and_no_address_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from data_synthesis.engines.build import build_engine

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ValueError, match="OPENAI_API_KEY is empty"):
        build_engine(EngineConfig(engine="openai", model="m"), JobConfig().timeout)


def test_help_of_every_command_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    from data_synthesis.cli import build_parser

    parser = build_parser()
    commands = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction)).choices
    assert set(commands) >= {
        "items",
        "users",
        "preferences",
        "cot",
        "rewrite",
        "reasons",
        "check",
        "estimate",
        "show",
        "push",
    }
    for name in commands:
        with pytest.raises(SystemExit):
            main([name, "--help"])
        assert "example" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["items", "cot"])
@pytest.mark.parametrize("path", sorted((Path(__file__).parents[2] / "recipes/configs/data_synthesis").glob("*.yaml")))
def test_shipped_configurations_are_understood(path: Path, command: str) -> None:
    from data_synthesis.cli import build_parser
    from data_synthesis.options import settings

    options = build_parser().parse_args(expand([command, "--config", str(path), "out=x.jsonl"]))
    assert settings(options, EngineConfig).engine in ("openai", "openai_batch")
    assert settings(options, JobConfig).concurrency > 1
