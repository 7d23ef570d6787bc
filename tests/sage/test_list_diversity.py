"""Mutual information of lists and re-ranking: numbers by hand, limits, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sage.diversity.information import CEILING, list_information, pair_information
from sage.diversity.rerank import dpp, mmr, rerank


def test_pair_information_by_hand() -> None:
    # cosines: (0, 1) 0.6 -> -1/2 log(1 - 0.36) = 0.22314; (0, 2) 0 -> 0; (1, 2) 0.8 -> -1/2 log(0.36) = 0.51083
    found = pair_information(torch.tensor([[[2.0, 0.0], [0.6, 0.8], [0.0, 3.0]]]))[0]
    expected = [[0, 0.22314, 0], [0.22314, 0, 0.51083], [0, 0.51083, 0]]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=0)


def test_equal_items_inform_much_and_opposite_ones_nothing() -> None:
    same, opposite = pair_information(torch.tensor([[[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]]))[0, 0, 1:]
    assert same.item() == pytest.approx(-0.5 * math.log(1 - CEILING**2), rel=1e-5)
    assert opposite.item() == 0.0


def test_list_information_by_hand() -> None:
    information = torch.tensor([[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]])
    # p = (1/2, 1/4, 1/4): pairs 1/8, 1/8, 1/16, the informed one is 2/5 of them
    scores = torch.log(torch.tensor([[0.5, 0.25, 0.25]]))
    assert list_information(scores, information).item() == pytest.approx(0.4)
    # equal weights: one pair of three
    assert list_information(torch.zeros(1, 3), information).item() == pytest.approx(1 / 3)


def test_a_list_of_one_item_has_nothing_to_share() -> None:
    scores = torch.tensor([[0.0, float("-inf")]], requires_grad=True)
    value = list_information(scores, torch.ones(1, 2, 2))
    value.sum().backward()
    assert value.item() == 0.0
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()


def test_the_gradient_takes_weight_from_items_that_are_alike() -> None:
    scores = torch.zeros(1, 3, requires_grad=True)
    vectors = torch.tensor([[[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]])
    list_information(scores, pair_information(vectors)).sum().backward()
    assert scores.grad is not None
    alike, other = scores.grad[0, :2], scores.grad[0, 2]
    assert (alike > 0).all()  # descent lowers both
    assert other < 0


SIMILARITY = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]])


def test_mmr_by_hand() -> None:
    # first the best gain; then 1: 0.5 * 0.9 - 0.5 * 0.9 = 0, 2: 0.5 * 0.5 - 0 = 0.25
    assert mmr(np.array([1.0, 0.9, 0.5]), SIMILARITY, 3, 0.5) == [0, 2, 1]
    assert mmr(np.array([1.0, 0.9, 0.5]), SIMILARITY, 2, 0.0) == [0, 1]


def test_dpp_by_hand() -> None:
    # diversity 1: kernel = similarity; after item 0 the rest is 1 - 0.81 = 0.19 for 1 and 1 for 2
    assert dpp(np.array([1.0, 0.9, 0.5]), SIMILARITY, 3, 1.0) == [0, 2, 1]
    # diversity 0: a diagonal kernel keeps the order of the gains
    assert dpp(np.array([1.0, 0.9, 0.5]), SIMILARITY, 3, 0.0) == [0, 1, 2]


def test_dpp_ends_when_the_rest_is_a_copy() -> None:
    assert dpp(np.ones(2), np.ones((2, 2)), 2, 1.0) == [0]


@pytest.mark.parametrize("method", ["mmr", "dpp"])
def test_no_diversity_keeps_the_order_of_the_scores(method: str) -> None:
    vectors = np.random.default_rng(0).normal(size=(6, 4))
    items = np.array([[3, 1, 5, -1], [0, 2, 4, 1]])
    scores = np.array([[-0.1, -0.5, -2.0, -np.inf], [-1.0, -1.1, -3.0, -9.0]])
    assert rerank(items, scores, vectors, 3, 0.0, method).tolist() == [[3, 1, 5], [0, 2, 4]]


def test_short_lists_are_padded_and_never_repeat() -> None:
    found = rerank([[4, 2, -1]], [[-0.1, -0.2, -np.inf]], np.eye(5), 3, 0.7)
    assert found.tolist() == [[4, 2, -1]]


def test_more_diversity_gives_less_similar_lists() -> None:
    rng = np.random.default_rng(1)
    vectors, items = rng.normal(size=(40, 3)), np.arange(40)[None]
    scores = -np.sort(rng.random(40))[None] * 3

    def likeness(strength: float) -> float:
        listed = vectors[rerank(items, scores, vectors, 8, strength)[0]]
        unit = listed / np.linalg.norm(listed, axis=1, keepdims=True)
        return float((unit @ unit.T).sum() - 8)

    assert likeness(0.9) < likeness(0.5) < likeness(0.0)


@pytest.mark.parametrize(("strength", "method", "match"), [(1.5, "mmr", "in \\[0, 1\\]"), (0.5, "best", "unknown")])
def test_bad_requests_are_refused(strength: float, method: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        rerank([[0]], [[0.0]], np.eye(1), 1, strength, method)
