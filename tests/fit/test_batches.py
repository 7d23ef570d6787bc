"""Facts about the order of batches and the learning rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.fit.batches import BatchPlan, local_share
from genrec.fit.config import FitConfig, learning_rate_factor
from genrec.fit.sequences import next_item_collator, next_item_windows


@given(st.integers(1, 300), st.integers(1, 64), st.integers(0, 3), st.booleans())
def test_every_epoch_holds_each_example_once(examples, size, epoch, by_length):
    plan = BatchPlan(examples, size, seed=1, lengths=list(range(examples)) if by_length else None)
    batches = plan.epoch(epoch)
    assert len(batches) == plan.batches_per_epoch
    assert sorted(np.concatenate(batches).tolist()) == list(range(examples))


def test_order_depends_on_seed_and_epoch_only():
    plan = BatchPlan(50, 8, seed=3)
    first = [batch.tolist() for batch in plan.epoch(0)]
    assert first == [batch.tolist() for batch in BatchPlan(50, 8, seed=3).epoch(0)]
    assert first != [batch.tolist() for batch in plan.epoch(1)]
    assert first != [batch.tolist() for batch in BatchPlan(50, 8, seed=4).epoch(0)]


def test_lengths_bring_similar_examples_together():
    lengths = np.random.default_rng(0).integers(1, 100, 640)
    padded = {
        known: sum(int(lengths[batch].max()) * len(batch) for batch in BatchPlan(640, 32, 0, known_lengths).epoch(0))
        for known, known_lengths in (("sorted", lengths.tolist()), ("random", None))
    }
    assert padded["sorted"] < 1.1 * lengths.sum() < padded["random"]


def test_processes_share_a_batch_and_an_idle_one_counts_nothing():
    batch = np.array([4, 7, 9])
    shares = [local_share(batch, rank, 4) for rank in range(4)]
    assert [rows.tolist() for rows, _ in shares] == [[4], [7], [9], [4]]
    assert [counts for _, counts in shares] == [True, True, True, False]


def test_windows_make_every_item_but_the_first_a_target_once():
    windows = next_item_windows([np.arange(8), np.array([5]), np.array([], dtype=int)], max_history=3)
    assert [window.tolist() for window in windows] == [[4, 5, 6, 7], [1, 2, 3, 4], [0, 1]]
    assert sorted(item for window in windows for item in window[1:]) == list(range(1, 8))


def test_collator_pads_on_the_right():
    batch = next_item_collator(pad_item=9)([np.array([1, 2, 3]), np.array([4, 5])])
    assert batch["inputs"].tolist() == [[1, 2], [4, 9]]
    assert batch["targets"].tolist() == [[2, 3], [5, -1]]


def test_learning_rate_warms_up_and_falls_by_hand():
    cosine = FitConfig(schedule="cosine", warmup_ratio=0.2)
    assert [learning_rate_factor(step, 10, cosine) for step in (0, 1, 2, 6)] == pytest.approx([1 / 3, 2 / 3, 1.0, 0.5])
    linear = FitConfig(schedule="linear")
    assert [learning_rate_factor(step, 10, linear) for step in (0, 5, 10)] == [1.0, 0.5, 0.0]
    assert learning_rate_factor(7, 10, FitConfig()) == 1.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"schedule": "step"}, "constant, cosine, linear, got 'step'"),
        ({"warmup_ratio": 1.0}, "warmup_ratio"),
        ({"learning_rate": -1.0}, "must not be negative"),
    ],
)
def test_options_that_cannot_work_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        FitConfig(**change)
