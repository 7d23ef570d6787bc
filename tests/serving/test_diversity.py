"""Variety at request time, on worked examples."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("fastapi")

from genrec.serving.diversity import diverse_order, prefix_similarity

pytestmark = pytest.mark.serve


def test_likeness_is_the_share_of_equal_leading_codes():
    found = prefix_similarity([[1, 2, 3], [1, 2, 4], [1, 5, 3], [6, 2, 3], [1, 2, -1]])
    assert found[0].tolist() == pytest.approx([1, 2 / 3, 1 / 3, 0, 1])
    assert np.array_equal(found, found.T)


def test_no_variety_keeps_the_order_by_score():
    alike = np.ones((4, 4))
    assert diverse_order([0.1, 0.9, 0.5, 0.7], alike, 3, 0.0) == [1, 3, 2]


def test_a_near_copy_of_the_best_item_waits_for_an_unlike_one():
    # relevance 1, 0.9, 0; the second is a copy of the first: 0.5 * 0.9 - 0.5 * 1 < 0.5 * 0 - 0.5 * 0
    alike = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert diverse_order([1.0, 0.9, 0.0], alike, 3, 0.5) == [0, 2, 1]


def test_equal_scores_and_one_candidate_are_no_trouble():
    assert diverse_order([2.0, 2.0], np.eye(2), 5, 1.0) == [0, 1]
    assert diverse_order([2.0], np.eye(1), 1, 0.3) == [0]
