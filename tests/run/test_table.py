"""Tables of many runs: what is run, what a row is called, what is tested against what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrec.run.table import TableSpec
from genrec.run.table_report import budget_points, seconds_to_reach
from genrec.run.table_sharing import share_step

ROOT = Path(__file__).parents[2]
SPEC = """
name: toy
seeds: [0, 1]
steps:
  sage_sft: {config: a.yaml, set: {max_steps: 5, num_levels: 4, code_options: {epochs: 2, joint: 0}}}
arms:
  ours: {sage_sft: {baselines: false, num_levels: null, code_options: {joint: 1}}}
  "ours, budget 3":
    sage_sft: {config: b.yaml}
    sage_rl: {config: c.yaml}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TableSpec:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.yaml").write_text(SPEC)
    return TableSpec.load(tmp_path / "t.yaml")


def finish(spec: TableSpec, arm: str, seed: int, ndcg: float) -> None:
    """Write what a run would have left."""
    row: dict[str, Any] = {"mode": "direct", "seed": seed, "NDCG@10": ndcg, "Recall@10": ndcg}
    rows = [
        {**row, "system": "Popularity", "stage": "", "NDCG@10": 0.01},
        {**row, "system": "X + MMR", "stage": "sft", "NDCG@10": 0.02},
        {**row, "system": "X", "stage": "sft"},
        {"mode": "reasons", "seed": seed, "system": "rules", "stage": "eval", "BLEU-4": 3.0},
    ]
    facts = {"dataset": {"name": "toy"}, "protocol": {"split": "x"}, "provenance": {"seconds": 2.0}, "rows": rows}
    folder = spec.run_dir(arm, seed)
    (folder / "sft").mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(facts))
    np.savez(folder / "sft" / "ranks.npz", regular_ranks=np.array([0, -1, 0 if ndcg > 0.3 else -1]))


def test_commands_carry_config_run_folder_overrides_and_seed(spec: TableSpec) -> None:
    (words,) = spec.commands("ours", 1, "cpu.yaml")
    assert words[5] == "recipes/sage_sft.py"
    pairs = dict(zip(words[6::2], words[7::2], strict=True))
    assert pairs["--config"] == "a.yaml"
    assert pairs["--max_steps"] == "5"
    assert pairs["--baselines"] == "false"
    assert json.loads(pairs["--code_options"]) == {"epochs": 2, "joint": 1}
    assert "--num_levels" not in pairs
    assert pairs["--seed"] == "1"
    assert pairs["--if_done"] == "skip"


def test_an_arm_changes_the_steps_of_all_or_leaves_one_out_or_brings_its_own(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(
        "name: x\nsteps: {a: {config: a.yaml, set: {k: 1}}, b: {config: b.yaml}}\n"
        "arms: {whole: {}, changed: {a: {k: 2}}, short: {b: false}, own: {c: {config: c.yaml}}}"
    )
    arms = TableSpec.load(tmp_path / "t.yaml").arms
    found = {name: [(step.recipe, dict(step.settings)) for step in steps] for name, steps in arms.items()}
    assert found == {
        "whole": [("a", {"k": 1}), ("b", {})],
        "changed": [("a", {"k": 2}), ("b", {})],
        "short": [("a", {"k": 1})],
        "own": [("c", {})],
    }


def test_runs_of_different_arms_have_folders_of_their_own(spec: TableSpec) -> None:
    assert len({spec.run_dir(arm, seed) for arm in spec.arms for seed in spec.seeds}) == 4


def test_rows_are_named_after_their_arms(spec: TableSpec) -> None:
    for arm, ndcg in (("ours", 0.4), ("ours, budget 3", 0.2)):
        for seed in spec.seeds:
            finish(spec, arm, seed, ndcg)
    page = spec.report()
    metrics = json.loads((page.parent / "metrics.json").read_text())
    names = [row["system"] for row in metrics["rows"] if row["seed"] == 0]
    assert names == [
        "Popularity", "ours: X + MMR", "ours", "ours: rules", "ours, budget 3", "ours, budget 3: rules"
    ]  # fmt: skip
    (test,) = metrics["paired"]
    # users' gains: reference (1, 0, 1), the other (1, 0, 0)
    assert test["difference"] == pytest.approx(-1 / 3)
    assert (test["system"], test["against"], test["scene"]) == ("ours, budget 3", "ours", "regular")


def test_an_arm_that_has_not_run_is_named(spec: TableSpec) -> None:
    finish(spec, "ours", 0, 0.4)
    with pytest.raises(ValueError, match="'ours, budget 3' has not run with seed 0"):
        spec.report()


def test_budget_points_are_those_of_arms_named_so() -> None:
    rows = [
        {"system": "FlexCode, budget 3", "tokens_per_item": 3.1, "NDCG@10": 0.02},
        {"system": "FlexCode", "tokens_per_item": 4.0, "NDCG@10": 0.03},
    ]
    assert budget_points(rows) == [{"budget": 3.1, "value": 0.02, "label": "FlexCode"}]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("name: x", "needs the keys"),
        ("name: x\narms: {a: {b: {config: c, odd: 1}}}", "needs config and may have set"),
        ("name: x\narms: {a: {}}", "needs arms with steps"),
        ("name: x\nodd: 1\narms: {a: {b: {config: c}}}", "knows only"),
        ("name: x\nreference: z\narms: {a: {b: {config: c}}}", "is no arm"),
        ("name: x\nsteps: {b: {config: c}}\narms: {a: {d: {k: 1}}}", "changes d; the steps of every arm are b"),
        ("name: x\nsteps: {b: {set: {k: 1}}}\narms: {a: {}}", "needs config"),
        ("name: x\narms: {a: [b]}", "give a mapping"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(ValueError, match=match):
        TableSpec.load(tmp_path / "t.yaml")


@pytest.mark.parametrize("path", sorted((ROOT / "recipes/configs/tables").glob("*.yaml")), ids=lambda p: p.stem)
def test_shipped_tables_name_recipes_and_configs_that_exist(path: Path) -> None:
    spec = TableSpec.load(path)
    assert spec.name == path.stem
    for steps in spec.arms.values():
        for step in steps:
            assert (ROOT / "recipes" / f"{step.recipe}.py").is_file()
            assert (ROOT / step.config).is_file()


def test_seconds_to_equal_quality_by_hand(spec: TableSpec) -> None:
    course = [{"NDCG@10": 0.1, "train_seconds": 5.0}, {"NDCG@10": 0.3, "train_seconds": 9.0}]
    assert seconds_to_reach(course, 0.1) == 5.0
    assert seconds_to_reach(course, 0.2) == 9.0
    assert seconds_to_reach(course, 0.4) is None
    for arm, best in (("ours", 0.5), ("ours, budget 3", 0.3)):
        for seed in spec.seeds:
            finish(spec, arm, seed, best)
            rows = [{**row, "NDCG@10": row["NDCG@10"] * best / 0.3} for row in course]
            (spec.run_dir(arm, seed) / "sft" / "validation.json").write_text(json.dumps(rows))
    metrics = json.loads((spec.report().parent / "metrics.json").read_text())
    found = {row["system"]: row["seconds_to_equal"] for row in metrics["rows"] if "seconds_to_equal" in row}
    assert found == {"ours": 9.0, "ours, budget 3": 9.0}  # the worst arm became 0.3; both pass it at 9 s


SHARED = """
name: toy
share: true
steps:
  llmrec_align: {config: a.yaml}
  llmrec_reasons: {config: r.yaml}
  llmrec_eval: {config: e.yaml}
arms:
  ours: {}
  ids: {llmrec_align: {features: id}}
  no head: {llmrec_reasons: {head: false}}
  twin: {llmrec_eval: {turns: 2}}
"""


def test_a_step_that_an_earlier_arm_has_finished_is_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.yaml").write_text(SHARED)
    spec = TableSpec.load(tmp_path / "t.yaml")
    assert share_step(spec, "no head", 0, 0) is None  # nothing has run yet
    for stage in ("align", "reasons"):
        (spec.run_dir("ours", 0) / stage).mkdir(parents=True)
        (spec.run_dir("ours", 0) / stage / "stage.json").write_text('{"finished": true}')
    assert share_step(spec, "ours", 0, 0) is None
    assert share_step(spec, "ids", 0, 0) is None  # other settings
    assert share_step(spec, "no head", 0, 0) == spec.run_dir("ours", 0) / "align"
    assert (spec.run_dir("no head", 0) / "align" / "stage.json").is_file()
    assert share_step(spec, "no head", 0, 1) is None
    assert share_step(spec, "no head", 1, 0) is None  # another seed
    assert share_step(spec, "twin", 0, 1) == spec.run_dir("ours", 0) / "reasons"
    assert share_step(spec, "twin", 0, 2) is None  # the last step writes the arm's own figures
    spec.share = False
    assert share_step(spec, "no head", 0, 0) is None
    assert not (spec.run_dir("no head", 0) / "align").exists()  # a former link is gone, its target is not
    assert (spec.run_dir("ours", 0) / "align").is_dir()
