"""RL arms against the checkpoint they start from: per-user values, paired differences, files."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.metrics.report.results import render_results
from gream.settings import EvalArguments
from gream.study import ARMS, Judged, differences, judge, wanted_metrics


def judged(hits, ranks, **row):
    row = {"Pass@mean": 0.1, "format_rate": 1.0, "distinct_items": 2.0, "chain_tokens": 60.0, **row}
    return Judged(row, np.array(hits, bool), np.array(hits) / 4, np.array(ranks))


BASE = judged([[0, 0], [1, 0], [0, 0], [1, 1]], [-1, 0, 3, 60])


def test_a_metric_by_user_averages_to_its_figure():
    assert BASE.per_user("Pass@1").tolist() == [0, 0.5, 0, 1]
    assert BASE.per_user("Pass@mean").tolist() == [0, 0.5, 0, 1]  # two chains: only k = 1 is defined of 1, 5, 10
    assert BASE.per_user("Recall@10").tolist() == [0, 1, 1, 0]
    assert BASE.per_user("NDCG@10") == pytest.approx([0, 1, 1 / np.log2(5), 0])
    assert BASE.per_user("Pass@1_expected").tolist() == [0, 0.125, 0, 0.25]
    assert BASE.per_user("Pass@mean_expected").tolist() == [0, 0.125, 0, 0.25]
    ten = judged([[0] * 9 + [1]], [0])
    assert ten.per_user("Pass@5_expected") == pytest.approx([0.125])  # half of all fives hold the one chance of 1/4
    assert wanted_metrics(BASE) == [
        "Pass@1", "Pass@mean", "Pass@1_expected", "Pass@mean_expected", "Recall@10", "NDCG@10", "Recall@50",
    ]  # fmt: skip


def test_seeds_are_averaged_per_user_before_users_are_drawn():
    better = judged([[1, 1], [1, 0], [0, 0], [1, 1]], [0, 0, 3, 60])
    row = differences(BASE, {"srpo": [BASE, better]}, ["Pass@1"])[0]
    assert (row["before"], row["after"], row["difference"]) == pytest.approx((0.375, 0.5, 0.125))
    assert row["low"] == 0.0  # three of four users differ by nothing: a draw without the fourth is likely
    assert row["high"] > 0.125
    assert (row["arm"], row["seeds"]) == ("srpo", 2)


def test_no_difference_is_no_difference():
    row = differences(BASE, {"srpo": [BASE]}, ["Recall@10"])[0]
    assert (row["difference"], row["low"], row["high"], row["p_value"]) == (0.0, 0.0, 0.0, 1.0)


def test_what_was_judged_is_found_again(tmp_path):
    assert Judged.load(tmp_path / "a") is None
    BASE.save(tmp_path / "a")
    again = Judged.load(tmp_path / "a")
    assert again.row == BASE.row
    assert np.array_equal(again.hits, BASE.hits)
    assert np.array_equal(again.ranks, BASE.ranks)


def test_a_checkpoint_is_judged_in_both_modes(toy_folder):
    from genrec.data.split import Targets

    targets = Targets(np.arange(3), [np.array([0, 1]), np.array([2]), np.array([3, 4])], np.array([5, 6, 7]))
    arguments = EvalArguments(run_dir="unused", reasoning_samples=2, max_new_tokens=24)
    found = judge(toy_folder, targets, targets, "srpo", arguments)
    assert found.hits.shape == (3, 2)
    assert found.ranks.shape == (3,)
    assert found.row["Recall@10"] == pytest.approx(found.per_user("Recall@10").mean())
    assert found.row["Pass@1"] == pytest.approx(found.per_user("Pass@1").mean())


def test_arms_name_settings_that_srpo_has():
    from dataclasses import fields

    from gream.settings import SrpoArguments
    from gream.srpo.config import SRPOConfig

    known = {f.name for f in (*fields(SRPOConfig), *fields(SrpoArguments))}
    assert {name for arm in ARMS.values() for name in arm} <= known


def test_a_study_is_rendered_with_its_intervals(tmp_path):
    from genrec.data.files import write_json

    better = judged([[1, 1], [1, 1], [0, 1], [1, 1]], [0, 0, 3, 60], seed=0)
    study = {
        "what": "toy: 4 test users x 2 chains",
        "rows": [{"arm": "curriculum", **BASE.row}, {"arm": "srpo", **better.row}],
        "differences": differences(BASE, {"srpo": [better]}, ["Pass@1"]),
        "command": "gream_study.py",
        "revision": {"commit": "abc", "dirty": False},
        "hardware": {"cpu": "a", "cores": 2},
        "versions": {"torch": "2"},
    }
    (tmp_path / "results").mkdir()
    write_json(tmp_path / "results" / "study_toy.json", study)
    text, _ = render_results(tmp_path / "results")
    assert "| srpo | Pass@1 | 0.3750 | 0.8750 |" in text
    assert "+133.3%" in text
    assert "| curriculum | 1 | 1.000 | 2.000 | 60.000 | 0.1000 |" in text
