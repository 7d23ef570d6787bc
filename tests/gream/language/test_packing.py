"""Facts about packed and expanded rows: every target once, contexts as promised."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gream.alignment.counts import packing_counts
from gream.alignment.packing import Chunk, expand_history, pack_history


def test_a_short_history_is_one_row_with_every_later_item_a_target():
    assert pack_history(21, max_history=20, overlap=10) == [Chunk(0, 21, 1)]
    assert pack_history(2, max_history=20, overlap=10) == [Chunk(0, 2, 1)]


def test_histories_without_a_target_give_no_row():
    assert pack_history(0, 20, 10) == pack_history(1, 20, 10) == expand_history(1, 20) == []


def test_a_long_history_is_cut_with_overlap():
    # max_history 4, overlap 2: items 0-4 (targets 1-4), items 3-7 (targets 5-7), items 6-9 (targets 8-9)
    assert pack_history(10, 4, 2) == [Chunk(0, 5, 1), Chunk(3, 8, 5), Chunk(6, 10, 8)]


@given(length=st.integers(0, 300), max_history=st.integers(1, 30), data=st.data())
def test_every_item_but_the_first_is_a_target_exactly_once(length, max_history, data):
    overlap = data.draw(st.integers(1, max_history))
    chunks = pack_history(length, max_history, overlap)
    targets = [position for chunk in chunks for position in range(chunk.first_target, chunk.stop)]
    assert targets == list(range(1, length))
    for number, chunk in enumerate(chunks):
        assert chunk.num_items <= max_history + 1
        assert chunk.first_target - chunk.start == (1 if number == 0 else overlap)


@given(length=st.integers(0, 60), max_history=st.integers(1, 30))
def test_expanded_rows_have_one_target_and_the_latest_context(length, max_history):
    chunks = expand_history(length, max_history)
    assert [chunk.stop - 1 for chunk in chunks] == list(range(1, length))
    for chunk in chunks:
        assert chunk.num_targets == 1
        assert chunk.num_items - 1 == min(chunk.first_target, max_history)


@pytest.mark.parametrize("overlap", [0, 21])
def test_overlap_outside_its_range_is_refused(overlap):
    with pytest.raises(ValueError, match="overlap is"):
        pack_history(50, 20, overlap)


def test_counts_of_a_history_worked_by_hand():
    # One user, 4 items, SIDs of 3 tokens, prompts of 10. Packed: 10 + 4*3 = 22.
    # Expanded: (10+2*3) + (10+3*3) + (10+4*3) = 16 + 19 + 22 = 57. Targets: 3 items * 3 tokens.
    counts = packing_counts([4, 1], sid_length=3, prompt_tokens=10)
    assert counts["packed"] == {"rows": 1, "tokens": 22, "targets": 9}
    assert counts["expanded"] == {"rows": 3, "tokens": 57, "targets": 9}
    assert counts["ratio"] == pytest.approx(22 / 57)


def test_packed_and_expanded_count_the_same_targets():
    counts = packing_counts([5, 60, 21, 22, 300], max_history=20)
    assert counts["packed"]["targets"] == counts["expanded"]["targets"] == 4 * (4 + 59 + 20 + 21 + 299)
