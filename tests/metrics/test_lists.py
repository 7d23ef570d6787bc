"""Facts about list quality, with values computed by hand."""

import math

import numpy as np
import pytest

from genrec.metrics.lists import (
    coverage,
    diversity,
    diversity_values,
    duplicate_count,
    exposure_entropy,
    invalid_count,
    list_table,
    mean_popularity,
)

LISTS = [[0, 1, 2], [0, 0, -1], [3, 9, 0]]  # a duplicate in the second, 9 is outside a catalogue of 5


def test_coverage_counts_distinct_items_of_the_catalogue():
    assert coverage(LISTS, 5) == 4 / 5


def test_invalid_slots_are_padding_and_unknown_items():
    assert invalid_count(LISTS, 5) == 2


def test_duplicates_are_counted_within_a_list_and_padding_is_none():
    assert duplicate_count([*LISTS, [4, 4, 4], [-1, -1, -1]], 5) == 1 + 2


def test_diversity_by_hand():
    vectors = np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 3.0], [0.0, 0.0]])
    root = math.sqrt(0.5)
    assert diversity_values([[0, 1, 2]], vectors)[0] == pytest.approx(1 - (0 + root + root) / 3)
    assert diversity_values([[0, 0, -1]], vectors)[0] == pytest.approx(0.0)
    assert diversity_values([[0, 3, -1]], vectors)[0] == pytest.approx(1.0)
    assert math.isnan(diversity_values([[0, -1, -1]], vectors)[0])
    assert diversity([[0, 1, -1], [0, 0, -1], [1, -1, -1]], vectors) == pytest.approx(0.5)
    assert math.isnan(diversity([[1, -1]], vectors))


def test_diversity_equals_a_slow_loop_over_pairs():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(30, 4))
    lists = np.stack([random.permutation(30)[:6] for _ in range(5)])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    slow = [1 - np.mean([unit[a] @ unit[b] for a in row for b in row if a != b]) for row in lists]
    np.testing.assert_allclose(diversity_values(lists, vectors), slow)


def test_mean_popularity_skips_empty_slots():
    assert mean_popularity([[0, 1, -1]], [10, 20, 1]) == 15.0
    assert math.isnan(mean_popularity([[-1]], [1]))


def test_entropy_is_zero_for_one_item_and_log2_for_equal_shares():
    assert exposure_entropy([[2, 2], [2, 2]], 8) == 0.0
    assert exposure_entropy([[0, 1], [2, 3]], 8) == pytest.approx(2.0)
    assert exposure_entropy([[0, 0], [0, 1]], 8) == pytest.approx(0.811278, abs=1e-6)


def test_table_judges_the_first_k():
    table = list_table([[0, 1, 2], [1, 1, -1]], counts=[4, 2, 1, 1], vectors=np.eye(4), k=2)
    assert table == pytest.approx(
        {
            "Coverage@2": 0.5,
            "Popularity@2": 2.5,
            "Entropy@2": 0.811278,
            "Invalid@2": 0,
            "Duplicates@2": 1,
            "Distinct@2": 2,
            "Div@2": 0.5,
        },
        abs=1e-6,
    )
    assert "Div@10" not in list_table([[0]], counts=[1])


def test_empty_lists_are_refused():
    with pytest.raises(ValueError, match="not empty"):
        coverage(np.zeros((0, 10)), 5)
