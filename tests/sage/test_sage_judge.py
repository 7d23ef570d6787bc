"""Judging: one search per scene and column whatever the rows, both columns, head and tail, all cut-offs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sage_runs import sft_arguments

import sage.recommend
from genrec.run import Session
from sage.recommend import SageRecommender
from sage.stages.data import RunData
from sage.stages.judge import Judge
from sage.stages.model import new_recommender
from sage.stages.searched import Searched


def judge(data: RunData, folder: Path, **changes: Any) -> Judge:
    arguments = sft_arguments(max_users=12, num_beams=20, baseline_epochs=1, **changes)
    return Judge(Session("sft", folder, False, None, True), arguments, data, 0)


@pytest.fixture(scope="module")
def untrained(data: RunData) -> SageRecommender:
    return new_recommender(data, sft_arguments(time_index=False), 0)


def test_each_scene_is_searched_once_per_column(
    data: RunData, untrained: SageRecommender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, search = [], sage.recommend.search_prompts
    monkeypatch.setattr(sage.recommend, "search_prompts", lambda *a, **o: calls.append(o["exclude"]) or search(*a, **o))
    judged = judge(data, tmp_path)
    rows = judged.generator_rows("SAGE", untrained)
    assert [row["system"] for row in rows] == [
        "SAGE + MMR 0.5", "SAGE + DPP 0.5", "SAGE + 2 new items by their texts", "SAGE"
    ]  # fmt: skip
    assert len(calls) == 2 * len(judged.scenes)
    assert sum(exclude is None for exclude in calls) == len(judged.scenes)


def test_lists_out_of_one_search_are_those_of_a_search_each(data: RunData, untrained: SageRecommender) -> None:
    asked = data.cold.scenes["regular"].sample(6, 0)
    found = Searched(untrained, asked, 20)
    for options in ({}, {"diversity": 0.5, "method": "dpp"}, {"fresh": 2}):
        apart, _ = untrained.rank(asked.histories, 10, 20, **options)
        np.testing.assert_array_equal(found.ranking(10, **options).items, apart)


def test_unseen_lists_hold_nothing_of_the_history(data: RunData, untrained: SageRecommender) -> None:
    asked = data.cold.scenes["regular"].sample(6, 0)
    found = Searched(untrained, asked, 20).ranking(10, fresh=2)
    for row, history in zip(found.items_unseen, asked.histories, strict=True):
        assert not np.isin(row, history).any()


def test_rows_carry_both_columns_all_cut_offs_head_and_tail(
    data: RunData, untrained: SageRecommender, tmp_path: Path
) -> None:
    judged = judge(data, tmp_path, diversity=0.0, fresh=0)
    (own,) = judged.generator_rows("SAGE", untrained)
    shared = {
        "Recall@10", "Recall@10_unseen", "Recall@20", "HR@10_new_items_unseen", "ColdRecall@10_unseen",
        "n_tail_items", "n_head_users", "Div@10", "NewShare@10",
    }  # fmt: skip
    assert shared <= set(own)
    assert "Recall@50" not in own  # twenty candidates
    assert {"regular_ranks", "regular_ranks_unseen", "regular_users"} <= set(judged.ranks)
    baselines = judged.baseline_rows()
    assert all(shared | {"Recall@50"} <= set(row) for row in baselines)


def test_baselines_of_a_killed_judging_are_not_fitted_again(
    data: RunData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = judge(data, tmp_path).baseline_rows()
    monkeypatch.setattr("genrec.fit.step.Stepper.__call__", lambda *_: pytest.fail("a finished fit took a step"))
    assert judge(data, tmp_path).baseline_rows() == first
