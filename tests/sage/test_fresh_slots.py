"""Slots for new items: nearest by text, last places, nothing twice."""

from __future__ import annotations

import numpy as np
import pytest

from sage.fresh import with_fresh

VECTORS = np.array([[1, 0], [0, 1], [1, 1], [1, 0.1], [0.1, 1], [-1, 0]], dtype=np.float32)
NEW = [3, 4, 5]


def test_the_last_slots_hold_the_nearest_new_items() -> None:
    # the user chose item 0: of the new ones 3 is nearest, then 4
    assert with_fresh([[0, 1, 2]], [[0]], VECTORS, NEW, 1).tolist() == [[0, 1, 3]]
    assert with_fresh([[0, 1, 2]], [[0]], VECTORS, NEW, 2).tolist() == [[0, 3, 4]]
    # later items of a history count more: 0.8 * (1, 0) + (0, 1) is nearer to 4 than to 3
    assert with_fresh([[0, 1, 2]], [[0, 1]], VECTORS, NEW, 1).tolist() == [[0, 1, 4]]


def test_new_items_that_are_listed_already_count() -> None:
    assert with_fresh([[5, 1, 2]], [[0]], VECTORS, NEW, 1).tolist() == [[5, 1, 2]]
    assert with_fresh([[1, 5, 2]], [[0]], VECTORS, NEW, 2).tolist() == [[1, 5, 3]]


def test_nobody_gets_what_is_excluded_and_nobody_without_a_history_gets_any() -> None:
    assert with_fresh([[0, 1]], [[0]], VECTORS, NEW, 1, [{3}]).tolist() == [[0, 4]]
    assert with_fresh([[0, 1]], [[]], VECTORS, NEW, 1).tolist() == [[0, 1]]
    assert with_fresh([[0, 1]], [[0]], VECTORS, [], 1).tolist() == [[0, 1]]


def test_short_lists_are_filled() -> None:
    assert with_fresh([[0, -1, -1]], [[0]], VECTORS, [3], 2).tolist() == [[0, 3, -1]]


def test_more_slots_than_places_are_refused() -> None:
    with pytest.raises(ValueError, match=r"0 \.\.\. 2"):
        with_fresh([[0, 1]], [[0]], VECTORS, NEW, 3)
