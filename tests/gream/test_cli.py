"""The command line: it teaches, answers, and says why it cannot."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gream.cli import main

FAST = ["--num-samples", "2", "--max-new-tokens", "20"]


def test_help_teaches_the_modes_and_loads_no_model_library():
    code = "import sys, gream.cli as c\ntry: c.main(['--help'])\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "gream recommend --model" in done.stdout
    assert "several chains of thought vote" in done.stdout


def test_the_help_of_recommend_shows_the_scenario_table(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["recommend", "--help"])
    assert stop.value.code == 0
    assert "search      mixed" in capsys.readouterr().out


def test_titles_and_ids_make_a_history_and_the_answer_is_a_list(toy_folder, capsys):
    assert main(["recommend", "--model", str(toy_folder), "--history", "Fargo", "f5", "--k", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["after: Fargo | Seven", "mode:  direct"]
    assert [line[:4] for line in lines[3:]] == ["  1.", "  2.", "  3."]


def test_json_answers_hold_what_the_recommender_says(toy_folder, toy, capsys):
    main(["recommend", "--model", str(toy_folder), "--history", "f1", "--k", "4", "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["recommendations"] == [r.to_json() for r in toy.recommend(["f1"], 4)]
    assert (answer["mode"], answer["history"], answer["record"]) == ("direct", ["f1"], None)


def test_reasoning_prints_each_chain_once(toy_folder, capsys):
    arguments = ["--mode", "reasoning", "--decode", "greedy_beam", "--k", "3", *FAST]
    assert main(["recommend", "--model", str(toy_folder), "--history", "f1", *arguments]) == 0
    out = capsys.readouterr().out
    assert "mode:  reasoning" in out
    assert sum(line.startswith("       ") for line in out.splitlines()) >= 1


def test_a_compliance_request_prints_its_record(toy_folder, capsys):
    arguments = ["--scenario", "compliance", "--k", "2", "--json", *FAST]
    assert main(["recommend", "--model", str(toy_folder), "--history", "f1", *arguments]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["mode"] == "reasoning"
    assert answer["record"]["settings"]["scenario"] == "compliance"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--history", "Casablanca"], "Casablanca"),
        (["--history", "f1", "--k", "99"], "at most 12"),
        (["--history", "Alien"], "matches 2 items"),
    ],
)
def test_a_bad_request_ends_with_two_and_a_reason(toy_folder, capsys, arguments, message):
    assert main(["recommend", "--model", str(toy_folder), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_missing_model_ends_with_two_and_a_reason(tmp_path, capsys):
    assert main(["recommend", "--model", str(tmp_path / "none"), "--history", "f1"]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main(["items", "--model", str(tmp_path / "none"), "--find", "x"]) == 2


def test_items_are_found_by_a_part_of_their_title(toy_folder, capsys):
    assert main(["items", "--model", str(toy_folder), "--find", "alien", "--limit", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == ["f0\tAlien", "f1\tAliens", "... and 1 more"]
    assert main(["items", "--model", str(toy_folder), "--find", "casablanca"]) == 2
