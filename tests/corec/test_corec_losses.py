"""Facts about CoRec's mathematics, against numbers derived by hand."""

import math

import numpy as np
import pytest
import torch

from llmrec.corec.config import CoRecConfig
from llmrec.corec.gather import first_copies, gather_rows
from llmrec.corec.losses import adaptive_weights, annealed, contrast_terms, gaussian_kl, reconstruction_terms
from llmrec.corec.views import ViewConfig, crop, mask, random_view, reorder


def flags(*rows):
    return torch.tensor(rows, dtype=torch.bool)


def test_adaptive_weights_by_hand():
    rec, con = adaptive_weights(torch.tensor([8, 5, 11]), 8.0, 3.0)
    # sigmoid(0) = 1/2; sigmoid(1) = e / (1 + e); sigmoid(-1)
    torch.testing.assert_close(rec, torch.tensor([0.5, math.e / (1 + math.e), 1 / (1 + math.e)]))
    torch.testing.assert_close(rec + con, torch.ones(3))
    with pytest.raises(ValueError, match="scale \\(tau\\) must be positive, got 0"):
        adaptive_weights(torch.tensor([1]), 8.0, 0)


def test_contrast_by_hand():
    # anchor (1, 0); keys: itself, a positive with cosine 1, a negative with cosine 0, one with cosine -1
    anchors = torch.tensor([[2.0, 0.0]])
    keys = torch.tensor([[2.0, 0.0], [5.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    positives, ignored = flags([0, 1, 0, 0]), flags([1, 0, 0, 0])
    found = contrast_terms(anchors, keys, [positives], ignored, 1.0)
    expected = -math.log(math.e / (math.e + 1 + 1 / math.e))
    assert found.item() == pytest.approx(expected)
    # with the last key as a positive of a second kind it is no negative any more: mean of both kinds
    found = contrast_terms(anchors, keys, [positives, flags([0, 0, 0, 1])], ignored, 1.0)
    first, second = -math.log(math.e / (math.e + 1)), -math.log((1 / math.e) / (1 / math.e + 1))
    assert found.item() == pytest.approx((first + second) / 2)


def test_contrast_without_positives_or_negatives_costs_nothing_and_has_finite_gradients():
    anchors = torch.tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    alone = contrast_terms(anchors, anchors, [torch.zeros(2, 2, dtype=torch.bool)], torch.eye(2).bool(), 0.1)
    assert alone.tolist() == [0.0, 0.0]
    paired = contrast_terms(anchors, anchors, [~torch.eye(2).bool()], torch.eye(2).bool(), 0.1)
    assert paired.tolist() == [0.0, 0.0]
    (alone + paired).sum().backward()
    assert torch.isfinite(anchors.grad).all()


def test_contrast_of_one_kind_and_one_positive_is_cross_entropy():
    torch.manual_seed(0)
    anchors, keys = torch.randn(4, 8), torch.randn(4, 8)
    found = contrast_terms(anchors, keys, [torch.eye(4).bool()], torch.zeros(4, 4).bool(), 0.3)
    scores = torch.nn.functional.normalize(anchors, dim=1) @ torch.nn.functional.normalize(keys, dim=1).T / 0.3
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(scores, torch.arange(4), reduction="none"))


def test_kl_by_hand():
    # (exp(0) + 1 - 1 - 0) / 2 = 1/2 for mean 1, variance 1; (2 + 0 - 1 - ln 2) / 2 for mean 0, variance 2
    found = gaussian_kl(torch.tensor([[1.0], [0.0], [0.0]]), torch.tensor([[0.0], [math.log(2.0)], [0.0]]))
    torch.testing.assert_close(found, torch.tensor([0.5, (1 - math.log(2.0)) / 2, 0.0]))


def test_reconstruction_by_hand():
    # items 0 and 1 are allowed, scores 0 and ln 3: probabilities 1/4 and 3/4; item 2 is outside and wanted in vain
    scores = torch.tensor([[0.0, math.log(3.0), 50.0]])
    allowed = flags([1, 1, 0])
    assert reconstruction_terms(scores, allowed, flags([1, 0, 1])).item() == pytest.approx(math.log(4.0))
    both = reconstruction_terms(scores, allowed, flags([1, 1, 0])).item()
    assert both == pytest.approx((math.log(4.0) + math.log(4 / 3)) / 2)
    assert reconstruction_terms(scores, flags([0, 0, 0]), flags([1, 1, 1])).item() == 0.0


def test_reconstruction_over_all_items_is_cross_entropy():
    torch.manual_seed(0)
    scores, goals = torch.randn(3, 6, requires_grad=True), torch.tensor([1, 5, 0])
    wanted = torch.nn.functional.one_hot(goals, 6).bool()
    found = reconstruction_terms(scores, torch.ones(3, 6).bool(), wanted)
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(scores, goals, reduction="none"))


def test_annealing_rises_to_its_peak():
    assert [annealed(step, 10, 0.2) for step in (0, 5, 10, 99)] == [0.0, 0.1, 0.2, 0.2]
    assert annealed(0, 0, 0.2) == 0.2


def test_views_keep_what_they_promise():
    items = np.arange(10)
    for seed in range(20):
        random = np.random.default_rng(seed)
        part = crop(items, 0.6, random)
        assert len(part) == 6
        assert (np.diff(part) == 1).all()
        hidden = mask(items, 0.3, 99, random)
        assert (hidden == 99).sum() == 3
        assert ((hidden == items) | (hidden == 99)).all()
        moved = reorder(items, 0.6, random)
        assert sorted(moved) == list(items)
        assert (moved != items).sum() <= 6
        assert len(random_view(items[:1], ViewConfig(), 99, random)) == 1
    assert items.tolist() == list(range(10))


def test_copies_of_a_sequence_count_once():
    assert first_copies(torch.tensor([[1, 2], [1, 3], [1, 2]])).tolist() == [True, True, False]
    rows = torch.ones(2, 3)
    assert gather_rows(rows) is rows


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="temperature and scale must be positive"):
        CoRecConfig(temperature=0.0)
    with pytest.raises(ValueError, match="positives must be some of view, item, cluster"):
        CoRecConfig(positives=("friend",))
    with pytest.raises(ValueError, match="hidden_share must be in"):
        CoRecConfig(hidden_share=1.0)
    with pytest.raises(ValueError, match="crop must be in"):
        ViewConfig(crop=0.0)
