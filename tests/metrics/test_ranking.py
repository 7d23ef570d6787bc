"""Facts about ranks, Recall and NDCG, with values computed by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.metrics.ranking import (
    exact_mean,
    ndcg_at_k,
    ranking_table,
    ranks_from_lists,
    ranks_from_scores,
    recall_at_k,
)

RANKS = [0, 2, -1, 9, 10]  # gains 1, 1 / log2(4) = 0.5, miss, 1 / log2(11), 1 / log2(12)


def test_recall_counts_targets_within_k():
    assert [recall_at_k(RANKS, k) for k in (1, 3, 10, 11)] == [0.2, 0.4, 0.6, 0.8]


def test_ndcg_by_hand():
    assert ndcg_at_k(RANKS, 1) == pytest.approx(1 / 5)
    assert ndcg_at_k(RANKS, 3) == pytest.approx((1 + 0.5) / 5)
    assert ndcg_at_k(RANKS, 10) == pytest.approx((1 + 0.5 + 1 / math.log2(11)) / 5)


def test_ndcg_is_zero_when_target_is_absent():
    assert ndcg_at_k([-1, -1], 50) == 0.0


def test_among_equal_scores_the_target_comes_last():
    scores = [[1.0, 3.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0], [4.0, 3.0, 2.0, 1.0]]
    assert ranks_from_scores(scores, [1, 2, 0]).tolist() == [1, 3, 0]


def test_excluded_items_do_not_count_and_an_excluded_target_is_a_miss():
    scores = np.array([[5.0, 4.0, 3.0, 2.0]] * 3)
    ranks = ranks_from_scores(scores, [3, 3, 3], exclude=[[0, 0, 2], [], [3]])
    assert ranks.tolist() == [1, 3, -1]
    assert scores.tolist() == [[5.0, 4.0, 3.0, 2.0]] * 3


def test_nan_scores_are_refused_with_their_row():
    with pytest.raises(ValueError, match="row 1 of scores holds NaN"):
        ranks_from_scores([[0.0, 1.0], [np.nan, 1.0]], [0, 0])


def test_list_ranks_take_the_first_position_and_padding_never_hits():
    assert ranks_from_lists([[4, 2, 4], [-1, -1, 7], [1, 2, 3]], [4, 7, 9]).tolist() == [0, 2, -1]
    with pytest.raises(ValueError, match="negative"):
        ranks_from_lists([[-1, -1]], [-1])


def test_table_names_both_columns():
    table = {**ranking_table([0, -1], (1, 10)), **ranking_table([-1, -1], (10,), unseen=True)}
    assert table == {
        "Recall@1": 0.5,
        "NDCG@1": 0.5,
        "Recall@10": 0.5,
        "NDCG@10": 0.5,
        "Recall@10_unseen": 0.0,
        "NDCG@10_unseen": 0.0,
    }


@given(st.lists(st.integers(-1, 60), min_size=1, max_size=80), st.randoms(use_true_random=False))
def test_metrics_do_not_depend_on_the_order_of_users(ranks, random):
    shuffled = list(ranks)
    random.shuffle(shuffled)
    assert ranking_table(shuffled) == ranking_table(ranks)


@given(st.lists(st.lists(st.integers(0, 3), min_size=5, max_size=5), min_size=1, max_size=8), st.data())
def test_score_ranks_equal_a_slow_sort(scores, data):
    target = data.draw(st.integers(0, 4))
    expected = [sorted(row, reverse=True).index(row[target]) + row.count(row[target]) - 1 for row in scores]
    assert ranks_from_scores(np.array(scores, float), [target] * len(scores)).tolist() == expected


def test_no_users_and_k_zero_are_refused():
    with pytest.raises(ValueError, match="no user"):
        recall_at_k([], 10)
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        ndcg_at_k([0], 0)
    with pytest.raises(ValueError, match="targets"):
        ranks_from_lists([[1]], [1, 2])
    with pytest.raises(ValueError, match="targets"):
        ranks_from_scores([[1.0]], [0, 0])


def test_exact_mean_loses_nothing_to_rounding():
    assert exact_mean([1e16, 1.0, -1e16, 1.0]) == 0.5
