"""The id-model recipes: their YAML files, a toy run as typed, and what a kill changes (nothing)."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from genrec.backbones.export import load_vectors
from genrec.backbones.gru4rec import GRU4RecConfig
from genrec.backbones.sasrec import SASRec, SASRecConfig
from genrec.fit.step import Stepper
from genrec.run import parse_stage
from genrec.run.rankers.settings import Bert4recArguments, Gru4recArguments, SasrecArguments

ROOT = Path(__file__).parents[2]
KINDS = {"sasrec": SasrecArguments, "gru4rec": Gru4recArguments, "bert4rec": Bert4recArguments}
SETTINGS = ("ml100k", "beauty", "toys", "games", "yelp", "ml1m")
FLAGS = "--dataset toy --width 16 --epochs 2 --eval_every 1 --max_history 12 --batch_size 64 --if_done skip"


def run_here(system, run_dir, *more):
    """The recipe in this process: the same code, without the seconds that importing torch takes."""
    before = sys.argv
    sys.argv = [str(ROOT / "recipes" / f"{system}_train.py"), "--run_dir", str(run_dir), *FLAGS.split(), *more]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        sys.argv = before


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("system", KINDS)
def test_each_yaml_is_accepted_and_names_its_own_run(system, setting):
    path = ROOT / "recipes" / "configs" / system / setting / "train.yaml"
    (arguments,) = parse_stage([KINDS[system]], path, argv=[])
    assert arguments.run_dir == f"runs/{system}_{setting}"
    assert arguments.loss == "ce"


@pytest.mark.parametrize("system", KINDS)
def test_each_recipe_defaults_to_movielens_100k(system):
    assert f'"configs/{system}/ml100k/train.yaml"' in (ROOT / "recipes" / f"{system}_train.py").read_text()


def test_settings_reach_the_model_and_the_loop():
    arguments = Gru4recArguments(width=24, hidden_width=40, loss="gbce", num_negatives=7, epochs=3, seed=5)
    shape, schedule = arguments.shape(GRU4RecConfig), arguments.fit()
    assert (shape.width, shape.hidden_width, shape.loss, shape.num_negatives) == (24, 40, "gbce", 7)
    assert (schedule.epochs, schedule.seed) == (3, 5)
    with pytest.raises(ValueError, match="precision is 'fp8'"):
        SasrecArguments(precision="fp8")
    with pytest.raises(ValueError, match="num_heads"):
        SasrecArguments(width=10, num_heads=4).shape(SASRecConfig)


@pytest.fixture(scope="module")
def toy_run(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "toy"
    run_here("sasrec", run_dir, "--sampled", "true")
    return run_dir


def test_the_report_folder_holds_all_rows_and_both_columns(toy_run):
    metrics = json.loads((toy_run / "metrics.json").read_text())
    assert [row["system"] for row in metrics["rows"]] == ["Popularity", "item-kNN", "SASRec (ce)"]
    for row in metrics["rows"]:
        assert row["n_users"] == metrics["dataset"]["users"]  # nobody is dropped
        assert (row["invalid"], row["duplicates"]) == (0, 0)
        assert 0 <= row["Recall@10"] <= row["Recall@10_sampled100"] <= 1
        assert "NDCG@10_unseen" in row
    assert "sampled 1 + 100" in (toy_run / "report.md").read_text()
    assert (toy_run / "report.html").is_file()


def test_ranks_vectors_and_model_fit_together(toy_run):
    ranks = np.load(toy_run / "train" / "ranks.npz")
    row = json.loads((toy_run / "metrics.json").read_text())["rows"][-1]
    assert np.mean((ranks["ranks"] >= 0) & (ranks["ranks"] < 10)) == pytest.approx(row["Recall@10"])
    vectors = load_vectors(toy_run / "train" / "vectors")
    model = SASRec.load(toy_run / "train")
    assert np.array_equal(vectors.items, model.item_vectors())
    assert len(vectors.user_ids) == row["n_users"]


def test_a_killed_run_continues_to_the_same_weights(toy_run, tmp_path, monkeypatch):
    original, taken = Stepper.__call__, []

    def dies(self, *args):
        taken.append(args)
        if len(taken) == 6:
            raise KeyboardInterrupt
        return original(self, *args)

    flags = ("--sampled", "true", "--checkpoint_seconds", "0")
    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "__call__", dies)
        with pytest.raises(KeyboardInterrupt):
            run_here("sasrec", tmp_path / "toy", *flags)
    run_here("sasrec", tmp_path / "toy", *flags)
    whole, resumed = SASRec.load(toy_run / "train"), SASRec.load(tmp_path / "toy" / "train")
    assert np.array_equal(whole.item_vectors(), resumed.item_vectors())


@pytest.fixture
def fresh_accelerate():
    """Precision is fixed once per process; a recipe of its own has its own process."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


@pytest.mark.parametrize("system", ["gru4rec", "bert4rec"])
def test_the_other_recipes_run_on_the_toy_shop_in_bf16(system, tmp_path, fresh_accelerate):
    run_here(system, tmp_path, "--epochs", "1", "--precision", "bf16")
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert len(metrics["rows"]) == 3
    assert metrics["stages"][0]["precision"] == "bf16"
