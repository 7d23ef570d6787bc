"""A teacher's guesses in histories and labels: who may be drawn, how often, what never moves, who shares a label."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gream.alignment.corpus import kept_places
from gream.alignment.teacher import TeacherTable, best_candidates, build_teacher_table

HISTORIES = [np.array([0, 1, 2]), np.array([3]), np.array([4, 0])]


def teacher(histories):
    """Prefers items of higher number; 5 and 6 were never bought."""
    return torch.arange(7.0).repeat(len(histories), 1)


def by_hand():
    """One user who bought 1, 2, 3; the teacher guesses 7 or 8 for the second item and 9 for the third."""
    cumulated = np.array([[0, 0], [0.25, 1], [1, 1]])
    return TeacherTable(np.array([0, 3]), np.array([1, 2, 3]), np.array([[0, 0], [7, 8], [9, 9]]), cumulated)


def test_owned_and_unknown_items_are_no_candidates():
    scores = torch.tensor([[0.0, 1.0, 2.0, 3.0]]).repeat(2, 1)
    items, cumulated = best_candidates(scores, np.array([0, 1, 3]), [np.array([3]), np.array([0, 1, 3])], 2)
    assert items[0].tolist() == [1, 0]
    # softmax of (1, 0) is (0.7311, 0.2689)
    assert cumulated[0] == pytest.approx([0.7311, 1.0], abs=1e-4)
    assert cumulated[1].tolist() == [0.0, 0.0]  # nothing is left to draw


def test_a_table_holds_every_position_behind_a_first_item():
    table = build_teacher_table(teacher, HISTORIES, candidates=2, batch_size=2)
    assert table.starts.tolist() == [0, 3, 4, 6]
    assert table.cumulated[[0, 3, 4]].tolist() == [[0.0, 0.0]] * 3  # first items have no history
    assert table.items[1].tolist() == table.items[2].tolist() == [4, 3]  # user 0 owns 0, 1, 2; 5 and 6 are unknown
    assert table.items[5].tolist() == [3, 2]
    assert table.cumulated[[1, 2, 5], -1] == pytest.approx([1.0] * 3)


def test_the_share_of_swapped_items_and_their_shares_are_those_asked_for():
    table = by_hand()
    rng = np.random.default_rng(0)
    drawn = np.array([table.swap(0, np.array([1, 2, 3]), 0.4, rng) for _ in range(4000)])
    assert (drawn[:, 0] == 1).all()
    shares = {item: float((drawn == item).mean(axis=0).max()) for item in (7, 8, 9)}
    assert shares == pytest.approx({7: 0.1, 8: 0.3, 9: 0.4}, abs=0.02)  # 0.4 * 0.25, 0.4 * 0.75, 0.4


def test_a_label_is_the_item_that_came_and_the_guesses():
    items, weights = by_hand().mixture(np.array([1, 2, 0]), 0.4)
    assert items.tolist() == [[2, 7, 8], [3, 9, 9], [1, 0, 0]]
    assert weights[0] == pytest.approx([0.6, 0.1, 0.3])  # 0.4 * 0.25, 0.4 * 0.75
    assert weights[1] == pytest.approx([0.6, 0.4, 0.0])
    assert weights[2].tolist() == [1.0, 0.0, 0.0]  # nothing is guessed for a first item


def test_a_position_without_candidates_stays_and_the_input_is_not_changed():
    table = TeacherTable(np.array([0, 2]), np.array([5, 6]), np.zeros((2, 1), np.int32), np.zeros((2, 1), np.float32))
    history = np.array([5, 6])
    swapped = table.swap(0, history, 1.0, np.random.default_rng(0))
    assert swapped.tolist() == [5, 6]
    assert swapped is not history


def test_each_copy_of_a_history_is_swapped_anew_and_first_items_stay(toy):
    from types import SimpleNamespace

    from gream.alignment import AlignmentConfig, build_alignment_rows

    split = SimpleNamespace(train=[np.arange(4), np.arange(4, 8)])
    table = build_teacher_table(lambda histories: torch.zeros(len(histories), 12), split.train, candidates=8)
    config = AlignmentConfig(tasks=("sequential",), weights={"sequential": 30}, swap_share=0.5, wording_variety=0.0)
    catalogue = SimpleNamespace(user_ids=["a", "b"])
    rows = build_alignment_rows(split, catalogue, toy.runner.formatter, config=config, teacher=table)
    texts = [toy.runner.tokenizer.decode(row) for row in rows["input_ids"]]
    plain = build_alignment_rows(
        split, catalogue, toy.runner.formatter, config=AlignmentConfig(tasks=("sequential",), wording_variety=0.0)
    )
    original = {toy.runner.tokenizer.decode(row) for row in plain["input_ids"]}
    assert len(rows) == 60
    assert len(set(texts)) > 15
    assert original & set(texts)  # a share of 1/8 keeps all three
    firsts = {toy.runner.sid_text(0), toy.runner.sid_text(4)}
    assert all(any(text.split("assistant\n")[1].startswith(first) for first in firsts) for text in texts)


def test_each_labelled_item_names_its_position_in_the_training_history(toy):
    from types import SimpleNamespace

    from gream.alignment import AlignmentConfig, build_alignment_rows

    split = SimpleNamespace(train=[np.arange(2), np.arange(4, 12)])
    table = build_teacher_table(lambda histories: torch.zeros(len(histories), 12), split.train, candidates=4)
    shares = {"swap_share": 0.3, "teacher_share": 0.5, "drop_share": 0.4}
    config = AlignmentConfig(tasks=("sequential", "text_to_sid"), weights={"sequential": 20}, **shares)
    formatter, names = toy.runner.formatter, SimpleNamespace(user_ids=["a", "b"])
    rows = build_alignment_rows(split, names, formatter, config=config, teacher=table)
    swapped = 0
    for row in rows:
        labels = [token for token, target in zip(row["input_ids"], row["completion_mask"], strict=True) if target]
        if row["task"] != "sequential":
            assert row["teacher"] == []
            continue
        positions = np.array(row["teacher"])
        assert (np.diff(positions) > 0).all()
        items, weights = table.mixture(positions, 0.5)
        assert weights.sum(axis=1) == pytest.approx(np.ones(len(positions)))
        step = len(labels) // len(positions)
        for number, listed in enumerate(items):
            said = labels[number * step : (number + 1) * step]
            written = [formatter.sid_ids(int(item)) for item in listed]
            assert said in written
            swapped += said != written[0]
    assert swapped > 5


def test_thinning_keeps_order_and_share_and_at_least_two_items():
    rng = np.random.default_rng(0)
    drawn = [kept_places(20, 0.3, rng) for _ in range(500)]
    assert all((np.diff(places) > 0).all() for places in drawn)
    assert float(np.mean([len(places) for places in drawn])) == pytest.approx(14, abs=0.3)
    assert {len(kept_places(3, 0.5, rng)) for _ in range(200)} == {2, 3}
    assert kept_places(1, 0.9, rng).tolist() == [0]


def test_shares_without_a_teacher_are_refused(toy):
    from gream.alignment import AlignmentConfig, build_alignment_rows

    for share in ("swap_share", "teacher_share"):
        with pytest.raises(ValueError, match="need a teacher"):
            build_alignment_rows(None, None, toy.runner.formatter, config=AlignmentConfig(**{share: 0.1}))
