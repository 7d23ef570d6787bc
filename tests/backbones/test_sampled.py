"""Facts about sampled ranking."""

import numpy as np
import pytest

from genrec.backbones.sampled import draw_negatives, sampled_ranks, sampled_table
from genrec.data.split import Targets


def questions(num_users=3):
    histories = [np.array([0, 1, 1]), np.array([2]), np.empty(0, np.int64)][:num_users]
    return Targets(np.arange(num_users), histories, np.array([2, 3, 4])[:num_users])


def test_negatives_are_distinct_new_and_the_same_for_everyone_who_asks():
    drawn = draw_negatives(questions(), 120, seed=1)
    assert drawn.shape == (3, 100)
    for row, gone in enumerate(({0, 1, 2}, {2, 3}, {4})):
        assert len(set(drawn[row])) == 100
        assert not gone & set(drawn[row].tolist())
    assert np.array_equal(drawn, draw_negatives(questions(), 120, seed=1))


def test_ranks_by_hand_with_ties_against_the_target():
    scores = np.array([[3.0, 1.0, 2.0, 2.0], [0.0, 5.0, 1.0, 1.0]], dtype=np.float32)
    ranks = sampled_ranks(scores, np.array([2, 1]), np.array([[0, 1, 3], [0, 2, 3]]))
    assert ranks.tolist() == [2, 0]  # above item 2 of the first user: item 0, and item 3 by the tie
    assert sampled_table(ranks)["Recall@10_sampled100"] == 1.0


def test_a_small_catalogue_is_refused_with_a_remedy():
    with pytest.raises(ValueError, match=r"has 99 items left of 102, fewer than the 100 negatives .*--sampled false"):
        draw_negatives(questions(1), 102, seed=0)
