"""Prompts of the RL stage: the true next items, and the filter by what direct mode can reach."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from gream import rollout_rows as rows
from gream.settings import SrpoArguments

HISTORIES = [[0, 1, 2, 3], [4, 5, 6], [7, 8, 9, 10, 11], [1, 3, 5, 7]]


@pytest.fixture
def stage(toy):
    def make(**arguments):
        split = SimpleNamespace(train=[np.array(history) for history in HISTORIES])
        return SimpleNamespace(
            arguments=SrpoArguments(run_dir="unused", **arguments),
            workspace=SimpleNamespace(split=split),
            parts=toy.parts,
            formatter=toy.runner.formatter,
            config=SimpleNamespace(seed=0),
            session=SimpleNamespace(facts={}),
        )

    return make


def test_every_training_position_behind_two_items_is_a_prompt(stage, toy):
    table = rows.rollout_rows(stage(max_prompts=-1))
    assert len(table) == 2 + 1 + 3 + 2
    pairs = {(tuple(h[:t]), h[t]) for h in HISTORIES for t in range(2, len(h))}
    expected = {
        (toy.runner.formatter.reasoning_prompt(list(h)), tuple(toy.item_codes.codes[t].tolist())) for h, t in pairs
    }
    assert {(row["prompt"], tuple(row["target"])) for row in table} == expected


def test_prompts_that_direct_mode_cannot_answer_are_left_out(stage, toy):
    setting = stage(max_prompts=-1, reachable=4)
    table = rows.rollout_rows(setting)
    wanted = []
    for history in HISTORIES:
        for t in range(2, len(history)):
            items, _ = toy.rank_direct([history[:t]], k=4, num_beams=12)
            if history[t] in items[0]:
                wanted.append(toy.runner.formatter.reasoning_prompt(history[:t]))
    assert 0 < len(wanted) < 8, "the random model makes this test say nothing; choose another width"
    assert sorted(table["prompt"]) == sorted(wanted)
    assert setting.session.facts["prompts"] == {"drawn": 8, "reachable": len(wanted), "within": 4}


def test_nothing_reachable_is_an_error_with_a_remedy(stage, monkeypatch):
    monkeypatch.setattr(
        rows,
        "GreamRecommender",
        lambda parts: SimpleNamespace(rank_direct=lambda h, **_: (-np.ones((len(h), 3)), None)),
    )
    with pytest.raises(ValueError, match="raise reachable"):
        rows.rollout_rows(stage(max_prompts=-1, reachable=3))
