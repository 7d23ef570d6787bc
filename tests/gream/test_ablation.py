"""An ablation shares what comes before, varies one setting, and reads what validation chose."""

import json

import pytest

from genrec.metrics.report.ablation import ablation_section
from gream.ablation import Ablation


def stage(run, name, **facts):
    (run / name).mkdir(parents=True)
    (run / name / "stage.json").write_text(json.dumps({"finished": True, "seconds": 60.0, "facts": facts}))


@pytest.fixture
def ablation(tmp_path):
    for name in ("index", "cot"):
        stage(tmp_path / "base", name)
    return Ablation(
        "align", "dropout", ["0", "0.2"], "align", tmp_path / "base", tmp_path / "out", tmp_path / "configs",
        {"align": {"max_steps": "40"}}, (0, 1),
    )  # fmt: skip


def finish(ablation, value, seed, scores):
    run = ablation.link_base(value, seed)
    stage(run, "align", metric="NDCG@10", steps=40)
    rows = [{"step": step, "NDCG@10": score, "Recall@10": 2 * score} for step, score in scores]
    (run / "align" / "validation.json").write_text(json.dumps(rows))


def test_every_value_runs_with_every_seed_and_one_seed_is_complete_first(ablation):
    assert ablation.variants() == [("0", 0), ("0.2", 0), ("0", 1), ("0.2", 1)]


def test_the_command_holds_the_budget_the_seed_and_the_value_in_its_own_stage_only(ablation):
    words = ablation.arguments("align", "0.2", 1)
    assert words[-6:] == ["--max_steps", "40", "--seed", "1", "--dropout", "0.2"]
    assert "--dropout" not in ablation.arguments("reason", "0.2", 1)


def test_earlier_stages_are_links_and_a_missing_one_is_named(ablation):
    run = ablation.link_base("0", 0)
    assert (run / "index").is_symlink()
    assert (run / "cot").resolve() == ablation.base / "cot"
    assert not (run / "align").exists()
    (ablation.base / "cot" / "stage.json").unlink()
    with pytest.raises(ValueError, match="no stage 'cot'"):
        ablation.link_base("0.2", 0)


def test_a_row_is_the_validation_that_chose_the_weights(ablation):
    finish(ablation, "0", 0, [(0, 0.0), (20, 0.3), (40, 0.2)])
    assert ablation.row("0", 0) == {
        "value": "0", "seed": 0, "NDCG@10": 0.3, "Recall@10": 0.6, "steps": 40, "chosen_step": 20, "seconds": 60.0,
    }  # fmt: skip


def test_the_result_holds_what_is_finished_and_renders_means_over_seeds(ablation, tmp_path):
    finish(ablation, "0", 0, [(40, 0.1)])
    finish(ablation, "0", 1, [(40, 0.3)])
    finish(ablation, "0.2", 0, [(40, 0.25)])
    ablation.save(tmp_path / "ablation_x.json")
    content = json.loads((tmp_path / "ablation_x.json").read_text())
    assert [(row["value"], row["seed"]) for row in content["rows"]] == [("0", 0), ("0.2", 0), ("0", 1)]
    text = ablation_section({"ablation_x": content})
    # mean of .1 and .3 is .2, their standard deviation .2 / sqrt(2) = .1414
    assert "| 0 | 0.2000 ± 0.1414 | 0.4000 ± 0.2828 | 2 | 40 | 60 s |" in text
    assert "| 0.2 | **0.2500** | **0.5000** | 1 | 40 | 60 s |" in text
    assert "align: max\\_steps 40" in text


@pytest.mark.parametrize(
    ("first", "until", "message"),
    [("align", "index", "must be one that is validated"), ("srpo", "align", "comes after"), ("x", "align", "no stage")],
)
def test_impossible_orders_are_refused(tmp_path, first, until, message):
    with pytest.raises(ValueError, match=message):
        Ablation(first, "dropout", ["0"], until, tmp_path, tmp_path, tmp_path)
