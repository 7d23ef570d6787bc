import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from genrec.sid.balanced import assign_balanced, assign_nearly_balanced, capacities, move_surplus


def test_capacities_give_the_remainder_to_the_most_wanted_clusters() -> None:
    assert capacities(8, np.array([1, 5, 2])).tolist() == [2, 3, 3]


def test_the_cheapest_balanced_assignment_by_hand() -> None:
    # All three points prefer cluster 0, which takes two (the remainder); the one that loses least moves.
    cost = [[0.0, 9.0], [0.0, 1.0], [0.0, 5.0]]
    assert assign_balanced(cost).tolist() == [0, 1, 0]


def test_surplus_travels_along_a_chain_when_that_is_cheaper() -> None:
    # Direct move 0 -> 2 costs 10; point 1 moving 0 -> 1 (cost 1) and point 2 moving 1 -> 2 (cost 1) costs 2.
    cost = np.array([[0.0, 10.0, 10.0], [0.0, 1.0, 10.0], [9.0, 0.0, 1.0]])
    assert move_surplus(cost, np.array([0, 0, 1]), np.array([1, 1, 1])).tolist() == [0, 1, 2]


@pytest.mark.parametrize(("points", "clusters"), [(60, 7), (64, 8), (24, 24), (5, 9), (10, 1)])
def test_total_cost_equals_the_hungarian_optimum(points: int, clusters: int) -> None:
    cost = np.random.default_rng(points).random((points, clusters))
    labels = assign_balanced(cost)
    seats = np.repeat(np.arange(clusters), np.bincount(labels, minlength=clusters))
    rows, columns = linear_sum_assignment(cost[:, seats])
    assert cost[np.arange(points), labels].sum() == pytest.approx(cost[rows, seats[columns]].sum())
    sizes = np.bincount(labels, minlength=clusters)
    assert sizes.max() - sizes.min() <= 1


def test_identical_points_are_spread_evenly() -> None:
    assert np.bincount(assign_balanced(np.tile([0.0, 1.0, 2.0], (9, 1)))).tolist() == [3, 3, 3]


def test_nearly_balanced_sizes_are_close_to_equal() -> None:
    rng = np.random.default_rng(0)
    cost = rng.random((800, 8)) + np.linspace(0, 1, 8)
    sizes = np.bincount(assign_nearly_balanced(cost), minlength=8)
    assert np.abs(sizes - 100).max() <= 10
    assert np.bincount(cost.argmin(axis=1), minlength=8).max() > 200
