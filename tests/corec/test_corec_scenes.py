"""Facts about CoRec's scenes and figures."""

import numpy as np
import pytest
from corec_toys import histories

from genrec.backbones.item_knn import ItemKNN
from genrec.backbones.rank import rank_id_model
from genrec.data import load_dataset
from genrec.data.split import Split, Targets, leave_one_out
from llmrec.corec.figures import completion_accuracy, corec_figures, separation
from llmrec.corec.interests import Interests, learn_interests
from llmrec.corec.scenes import drifted, hidden_parts, new_behaviour, noisy, scene_masks, truncated

CATEGORIES = np.repeat([0, 1], 10)


def targets(*asked, answers=None):
    own = [np.array(history) for history in asked]
    return Targets(np.arange(len(own)), own, np.array(answers or [0] * len(own)))


def test_scenes_by_hand():
    test = targets([1, 2, 1, 2], [1, 2, 3, 4], list(range(10)), [1, 2, 11, 12])
    train = [np.array([1, 2, 1]), np.array([1, 2, 3]), np.arange(9), np.array([1, 2, 11])]
    masks = scene_masks(Split(train, test, test), CATEGORIES)
    assert masks["short"].tolist() == [True, False, False, False]  # the second has 3 distinct training items
    assert masks["dense"].tolist() == [False, False, True, False]
    assert masks["drift"].tolist() == [False, False, False, True]


def test_drift_is_the_distance_of_the_halves():
    assert not drifted(np.array([1, 11, 2, 12]), CATEGORIES)  # halves (1/2, 1/2) and (1/2, 1/2)
    assert drifted(np.array([1, 2, 3, 12]), CATEGORIES)  # (1, 0) and (1/2, 1/2): distance 1/2
    assert not drifted(np.array([1, 11, 12]), CATEGORIES)  # too short to halve
    assert not drifted(np.array([1, 2, 3, 4]), np.full(20, -1))


def test_new_behaviour_is_a_category_that_the_first_half_lacks():
    asked = targets([1, 2, 11, 12], [1, 2, 3, 4], [1, 2], answers=[13, 5, 15])
    assert new_behaviour(asked, CATEGORIES).tolist() == [True, False, False]


def test_truncation_keeps_two_to_four_last_events_and_the_answers():
    asked = Targets(np.arange(50), [np.arange(10)] * 50, np.zeros(50, np.int64))
    cut = truncated(asked)
    assert {len(history) for history in cut.histories} == {2, 3, 4}
    assert all(history[-1] == 9 for history in cut.histories)
    assert [list(history) for history in truncated(asked).histories] == [list(history) for history in cut.histories]


def test_noise_inserts_a_fifth_and_never_the_answer():
    asked = Targets(np.arange(30), [np.full(10, 1)] * 30, np.zeros(30, np.int64))
    found = noisy(asked, np.array([100.0, 1.0, 1.0]))
    assert all(len(history) == 12 for history in found.histories)
    assert not any((history == 0).any() for history in found.histories)


def test_hidden_items_are_gone_from_what_is_left():
    for user, left, gone in hidden_parts([np.array([1, 2, 3, 1, 4]), np.array([5, 5])]):
        assert user == 0
        assert len(gone) == 1
        assert not np.isin(left, gone).any()


class Scored:
    """A model with the same scores for everybody."""

    def __init__(self, scores):
        import torch

        self.scores = torch.as_tensor(scores, dtype=torch.float32)

    def score_histories(self, asked):
        return self.scores.expand(len(asked), -1)


def test_completion_asks_for_hidden_items_of_core_interests_and_lists_nothing_else():
    # items 0-9 and 10-19 are two clusters; 5 and 10 are hidden, what is left lies in the first, so it alone is core
    split = leave_one_out([np.array([0, 1, 2, 3, 4, 5, 6, 10, 18, 19])])
    (_, left, gone) = hidden_parts(split.train)[0]
    assert (left.tolist(), gone.tolist()) == ([0, 1, 2, 3, 4, 6], [5, 10])
    likes_the_last = Scored(np.arange(20.0))  # the other cluster best; of the core's 5, 7, 8 and 9 it likes 5 least
    clusters = Interests(CATEGORIES, 2)
    assert completion_accuracy(likes_the_last, split, clusters, 0.5, k=4) == 1.0
    assert completion_accuracy(likes_the_last, split, clusters, 0.5, k=3) == 0.0
    assert completion_accuracy(likes_the_last, split, Interests(np.full(20, -1), 2), 0.5) is None


def test_separation_is_high_where_vectors_follow_the_clusters():
    import torch

    split = leave_one_out(histories())

    class Pure:
        def encode(self, asked):
            return torch.stack([torch.tensor([1.0, 0.0]) if h[0] < 10 else torch.tensor([0.0, 1.0]) for h in asked])

    assert separation(Pure(), split, Interests(CATEGORIES, 2)) == pytest.approx(1.0)
    assert separation(Pure(), split, Interests(np.zeros(20, np.int64), 1)) is None


def test_a_row_holds_all_figures_for_any_model():
    dataset = load_dataset("toy", num_users=60, num_items=40)
    split = dataset.split("leave_one_out")
    interests = learn_interests(split.train, dataset.num_items, 4)
    more = corec_figures(dataset, split, interests, users=30)
    from genrec.backbones.sasrec import SASRec, SASRecConfig

    for model in (ItemKNN(split.train, dataset.num_items), SASRec(dataset.num_items, SASRecConfig(width=16))):
        row = more(model, rank_id_model(model, split.test))
        assert row["n_short"] < 500
        assert "NDCG@10_short_truncated" in row  # labelled, because the scene itself is too small
        assert {"Completion@10", "n_dense", "n_drift", "n_new_behaviour"} <= set(row)
        assert all(np.isfinite(value) for value in row.values())
    assert -1.0 <= row["Separation"] <= 1.0
