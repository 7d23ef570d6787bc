"""Facts about Pass@k, with values computed by hand."""

from itertools import combinations

import pytest

from genrec.metrics.passk import (
    expected_pass_values,
    pass_at_k,
    pass_table,
    pass_values,
    ranked_pass_at_k,
    ranked_pass_values,
)


@pytest.mark.parametrize(
    ("n", "c", "k", "expected"),
    [
        (10, 0, 5, 0.0),
        (10, 1, 1, 0.1),
        (10, 1, 4, 0.4),
        (4, 2, 2, 1 - 1 / 6),
        (10, 3, 10, 1.0),
        (10, 7, 4, 1.0),
    ],
)
def test_pass_at_k_by_hand(n, c, k, expected):
    assert pass_at_k(n, c, k) == pytest.approx(expected)


def test_pass_at_k_equals_counting_all_draws():
    hits = [True, True, False, False, False, True, False]
    for k in range(1, 8):
        draws = list(combinations(hits, k))
        assert pass_at_k(7, 3, k) == pytest.approx(sum(any(draw) for draw in draws) / len(draws))


def test_pass_at_k_stays_finite_for_large_n():
    assert pass_at_k(2000, 1, 1000) == pytest.approx(0.5)


@pytest.mark.parametrize(("n", "c", "k"), [(4, 5, 1), (4, -1, 1), (4, 1, 0), (4, 1, 5)])
def test_impossible_counts_are_refused_with_their_values(n, c, k):
    with pytest.raises(ValueError, match=f"n={n}, c={c}, k={k}"):
        pass_at_k(n, c, k)


def test_expected_pass_by_hand():
    table = [[0.5, 0.25, 0.0], [0.0, 0.0, 1.0]]
    assert expected_pass_values(table, 1) == pytest.approx([0.25, 1 / 3])
    assert expected_pass_values(table, 2) == pytest.approx([(0.625 + 0.5 + 0.25) / 3, 2 / 3])
    assert expected_pass_values(table, 3) == pytest.approx([0.625, 1.0])


def test_expected_pass_of_certain_hits_is_pass():
    hits = [[True, False, False, True, False], [False] * 5]
    for k in range(1, 6):
        assert expected_pass_values(hits, k) == pytest.approx(pass_values(hits, k))


def test_expected_pass_stays_finite_for_many_samples():
    assert expected_pass_values([[0.001] * 2000], 1000)[0] == pytest.approx(1 - 0.999**1000)


@pytest.mark.parametrize(("table", "k"), [([[1.5]], 1), ([[float("nan")]], 1), ([[0.5]], 2), ([[0.5]], 0), ([0.5], 1)])
def test_expected_pass_refuses_what_is_no_table_of_probabilities(table, k):
    with pytest.raises(ValueError, match=f"expected Pass@{k}"):
        expected_pass_values(table, k)


def test_ranked_pass_looks_at_the_most_probable_samples():
    hits = [[True, False, False], [False, False, True]]
    log_probs = [[-3.0, -1.0, -2.0], [-3.0, -2.0, -1.0]]
    assert [ranked_pass_at_k(hits, log_probs, k) for k in (1, 2, 3)] == [0.5, 0.5, 1.0]


def test_ranked_ties_are_broken_against_the_hit():
    assert ranked_pass_values([[True, False]], [[-1.0, -1.0]], 1).tolist() == [0.0]


def test_table_has_both_ways_and_leaves_out_k_above_n():
    table = pass_table([[True, False], [False, False]], [[-2.0, -1.0], [-1.0, -2.0]], ks=(1, 2, 5))
    assert table == {"Pass@1": 0.25, "Pass@1_ranked": 0.0, "Pass@2": 0.5, "Pass@2_ranked": 0.5}
    assert pass_table([[True]]) == {"Pass@1": 1.0}


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="log_probs"):
        ranked_pass_values([[True, False]], [[-1.0]], 1)
    with pytest.raises(ValueError, match="not empty"):
        pass_values([[]], 1)
