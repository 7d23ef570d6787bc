"""The command line: a help that teaches, exit codes, files."""

from pathlib import Path

import pytest

from data_synthesis.cli import main
from data_synthesis.job import statistics_path
from genrec.data.chains import read_chains


def test_help_explains_files_options_and_resume(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["cot", "--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0
    for needed in (
        "--style",
        "compact:",
        "stats.json",
        "type the same command again",
        "Validation and test items",
    ):
        assert needed in text


def test_command_writes_chains_and_statistics(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "c.jsonl"
    assert main(["cot", "--data", "toy", "--out", str(out), "--max_chains", "5", "--style", "full", "--quiet"]) == 0
    assert len(read_chains(out)) == 5
    assert statistics_path(out).exists()


def test_wrong_value_gives_exit_code_2_and_its_reason(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert main(["cot", "--data", "toy", "--out", str(tmp_path / "c"), "--per_user", "0"]) == 2
    assert "per_user is 0, but must be at least 1" in caplog.text


def test_unknown_dataset_gives_exit_code_2(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert main(["cot", "--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "c")]) == 2
    assert "nowhere" in caplog.text


def test_no_command_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    assert "command" in capsys.readouterr().err
