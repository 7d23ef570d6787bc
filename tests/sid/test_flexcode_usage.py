"""The router's features against numbers derived by hand."""

import math

import numpy as np
import pytest

from genrec.sid.flexcode.usage import ItemUsage, item_usage

TRAIN = [np.array([0, 1, 0]), np.array([1, 2])]
TIMES = [np.array([10, 20, 30, 99]), np.array([50, 60])]  # 99 belongs to a validation item


def test_counts_neighbours_and_age_by_hand() -> None:
    usage = item_usage(TRAIN, 4, TIMES)
    assert usage.counts.tolist() == [2, 2, 1, 0]
    assert usage.neighbours.tolist() == [1, 2, 1, 0]  # 0-1, 1-0, 1-2
    # first seen at 10, 20, 60 and never: (60 - first) / 50
    assert usage.age.tolist() == pytest.approx([1.0, 0.8, 0.0, 0.0])


def test_without_timestamps_the_place_in_the_history_is_the_time() -> None:
    # first places 0, 0 (of the second user), 1
    assert item_usage(TRAIN, 4).age.tolist() == pytest.approx([1.0, 1.0, 0.0, 0.0])


def test_features_by_hand() -> None:
    usage = ItemUsage(np.array([3, 0]), np.array([1.0, 0.0], np.float32), np.array([1, 0]))
    expected = [[1.0, 1.0, 0.0, 0.5], [0.0, 0.0, 1.0, 1.0]]
    np.testing.assert_allclose(usage.features(), expected)


def test_frequency_is_logarithmic() -> None:
    usage = ItemUsage(np.array([99, 9]), np.zeros(2, np.float32), np.ones(2, np.int64))
    assert usage.features()[1, 0] == pytest.approx(math.log(10) / math.log(100))


def test_reliability_is_a_half_at_the_median_and_bounded() -> None:
    usage = ItemUsage(np.array([0, 4, 4, 1000]), np.zeros(4, np.float32), np.zeros(4, np.int64))
    np.testing.assert_allclose(usage.reliability(), [0.1, 0.5, 0.5, 0.9])


def test_strata_are_of_equal_size_and_ordered_by_popularity() -> None:
    usage = ItemUsage(np.array([5, 1, 9, 0]), np.zeros(4, np.float32), np.zeros(4, np.int64))
    assert usage.strata(2).tolist() == [1, 0, 1, 0]


def test_missing_timestamps_are_an_error() -> None:
    with pytest.raises(ValueError, match="user 0 has 3 interactions but 1 timestamps"):
        item_usage(TRAIN, 4, [np.array([1]), np.array([1, 2])])
