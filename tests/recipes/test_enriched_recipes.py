"""The recipes of GRASP and CoRec: their YAML files, a toy run as typed, refresh, comparison."""

import json
import runpy
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from genrec.run import parse_stage
from llmrec.corec.settings import CorecArguments
from llmrec.grasp.settings import GraspArguments

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "recipes" / "configs"
KINDS = {"grasp": GraspArguments, "corec": CorecArguments}
FILES = [path for system in KINDS for path in sorted((CONFIGS / system).rglob("*.yaml"))]
SHORT = "--dataset toy --width 16 --epochs 2 --max_history 12 --batch_size 64 --valid_users 50"


def run_here(recipe, *words):
    """A recipe in this process: the same code, without the seconds that importing torch takes."""
    before = sys.argv
    sys.argv = [str(ROOT / "recipes" / f"{recipe}.py"), *map(str, words)]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        sys.argv = before


@pytest.mark.parametrize("path", FILES, ids=lambda path: "/".join(path.parts[-3:]))
def test_each_yaml_is_accepted_and_names_its_own_run(path):
    (arguments,) = parse_stage([KINDS[path.parts[-3]]], path, argv=[])
    own = "" if path.stem == "train" else f"_{path.stem}"
    assert arguments.run_dir == f"runs/{path.parts[-3]}_{path.parts[-2]}{own}"


@pytest.mark.parametrize("system", KINDS)
def test_each_system_has_all_settings_and_runs_without_flags(system):
    settings = {path.name for path in (CONFIGS / system).iterdir()}
    assert settings == {"ml100k", "ml1m", "beauty", "toys", "games", "yelp"}
    assert f'"configs/{system}/ml100k/train.yaml"' in (ROOT / "recipes" / f"{system}_train.py").read_text()


@pytest.mark.parametrize("system", KINDS)
@pytest.mark.parametrize("setting", ["ml100k", "beauty"])
def test_rows_of_a_table_have_equal_budgets(system, setting):
    budgets = set()
    for path in sorted((CONFIGS / system / setting).glob("*.yaml")):
        (found,) = parse_stage([KINDS[system]], path, argv=[])
        shape = (found.width, found.num_layers, found.dropout, found.max_history, found.loss)
        budgets.add((*shape, found.epochs, found.batch_size, found.learning_rate, found.patience, found.valid_users))
    assert len(budgets) == 1


def test_grasp_trains_and_a_second_refresh_has_nothing_to_do(tmp_path, capsys):
    words = [*SHORT.split(), "--encoder", "hash", "--store", tmp_path / "store", "--run_dir", tmp_path / "run"]
    run_here("grasp_train", *words, "--sampled", "true")
    row = json.loads((tmp_path / "run" / "metrics.json").read_text())["rows"][-1]
    assert row["system"] == "GRASP around SASRec"
    assert 0 <= row["CrossCat@10"] <= 1
    assert "NDCG@10_sampled100" in row
    assert "load_grasp" in (tmp_path / "run" / "train" / "README.md").read_text()
    capsys.readouterr()
    run_here("grasp_refresh", *words)
    assert "0 texts encoded, 0 neighbour lists redone" in capsys.readouterr().out


@pytest.mark.parametrize("arm", ["corec", "apart", "recvae"])
def test_corec_trains_each_kind_of_arm(arm, tmp_path):
    run_here("corec_train", *SHORT.split(), "--arm", arm, "--clusters", 4, "--run_dir", tmp_path)
    rows = json.loads((tmp_path / "metrics.json").read_text())["rows"]
    assert all("Completion@10" in row and "NDCG@10_short_truncated" in row for row in rows)
    assert "Separation" in rows[-1]
    assert (tmp_path / "train" / "vectors" / "vectors.json").is_file()


def test_the_hallucination_experiment_runs_every_share_and_tables_the_drop(tmp_path, monkeypatch):
    asked = []

    def pretend(command, check):
        words = dict(pairwise(command))
        asked.append((words["--arm"], float(words["--corrupt_share"]), words["--epochs"]))
        row = {"NDCG@10": 0.1 * (1 - float(words["--corrupt_share"]) * (words["--arm"] == "llm_esr"))}
        folder = Path(words["--run_dir"])
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps({"rows": [row]}))

    monkeypatch.setattr("subprocess.run", pretend)
    run_here("grasp_hallucination", "--shares", 0, 0.5, "--folder", tmp_path, "--", "--epochs", 3)
    assert asked == [(arm, share, "3") for arm in ("grasp", "llm_esr") for share in (0.0, 0.5)]
    text = (tmp_path / "hallucination.md").read_text()
    assert "| grasp | 50% | 0.1000 | +0.0% |" in text
    assert "| llm_esr | 50% | 0.0500 | +50.0% |" in text or "| llm\\_esr | 50% | 0.0500 | +50.0% |" in text
