"""Splits: nothing of validation or test is in training, and each history ends before its target."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.data import DataError
from genrec.data.split import by_time, leave_one_out

HISTORIES = [np.array([4, 1, 3, 2]), np.array([0, 0, 5])]
TIMES = [np.array([10, 20, 30, 40]), np.array([15, 30, 30])]


def lists(arrays: list[np.ndarray]) -> list[list[int]]:
    return [array.tolist() for array in arrays]


def test_leave_one_out_takes_the_last_two() -> None:
    split = leave_one_out(HISTORIES)
    assert lists(split.train) == [[4, 1], [0]]
    assert split.valid.targets.tolist() == [3, 0]
    assert lists(split.valid.histories) == [[4, 1], [0]]
    assert split.test.targets.tolist() == [2, 5]
    assert lists(split.test.histories) == [[4, 1, 3], [0, 0]]
    assert split.test.users.tolist() == [0, 1]
    assert len(split.test) == 2


def test_popularity_counts_training_only() -> None:
    split = leave_one_out(HISTORIES)
    assert split.popularity(6).tolist() == [1, 1, 0, 0, 1, 0]
    assert split.train_items() == {0, 1, 4}


def test_leave_one_out_names_the_user_that_is_too_short() -> None:
    with pytest.raises(DataError, match=r"user 'ann' has 2\..*Remedy"):
        leave_one_out([np.array([1, 2])], ["ann"])


def test_by_time_gives_a_moment_to_the_window_that_starts_there() -> None:
    split = by_time(HISTORIES, TIMES, valid_from=20, test_from=30)
    assert lists(split.train) == [[4], [0]]
    assert (split.valid.users.tolist(), split.valid.targets.tolist()) == ([0], [1])
    assert lists(split.valid.histories) == [[4]]
    assert split.test.targets.tolist() == [3, 0]
    assert lists(split.test.histories) == [[4, 1], [0]]


def test_by_time_can_ask_for_every_interaction() -> None:
    split = by_time(HISTORIES, TIMES, valid_from=20, test_from=30, per_user="all")
    assert split.test.users.tolist() == [0, 0, 1, 1]
    assert split.test.targets.tolist() == [3, 2, 0, 5]
    assert lists(split.test.histories) == [[4, 1], [4, 1, 3], [0], [0, 0]]


def test_a_user_who_starts_in_the_window_has_no_history_and_is_left_out() -> None:
    split = by_time([*HISTORIES, np.array([1])], [*TIMES, np.array([35])], valid_from=20, test_from=30)
    assert len(split.train[2]) == 0
    assert 2 not in split.test.users


def test_by_time_cuts_by_fractions() -> None:
    histories = [np.arange(10)]
    split = by_time(histories, [np.arange(10) * 100], fractions=(0.2, 0.1), per_user="all")
    assert lists(split.train) == [[0, 1, 2, 3, 4, 5, 6]]
    assert split.valid.targets.tolist() == [7, 8]
    assert split.test.targets.tolist() == [9]


def test_bad_requests_say_what_to_do() -> None:
    with pytest.raises(DataError, match="needs timestamps"):
        by_time(HISTORIES, None)
    with pytest.raises(DataError, match=r"data spans 10\.\.40, valid_from=50"):
        by_time(HISTORIES, TIMES, valid_from=50, test_from=60)
    with pytest.raises(ValueError, match="'first' or 'all'"):
        by_time(HISTORIES, TIMES, valid_from=20, test_from=30, per_user="some")  # type: ignore[arg-type]
