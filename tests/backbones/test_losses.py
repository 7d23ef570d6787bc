"""Facts about the losses over negatives, against numbers derived by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from genrec.backbones import gathered
from genrec.backbones.config import SequenceConfig
from genrec.backbones.gathered import gathered_scores
from genrec.backbones.losses import bce_loss, gbce_beta, gbce_loss, sampled_softmax_loss
from genrec.backbones.objective import next_item_loss, uniform_negatives

LN2 = math.log(2.0)


def test_bce_by_hand():
    # s+ = 0: -log(1/2) = ln 2. s- = 0: ln 2. s- = ln 3: sigmoid = 3/4, -log(1/4) = 2 ln 2. Sum 4 ln 2.
    loss = bce_loss(torch.tensor([0.0]), torch.tensor([[0.0, math.log(3.0)]]))
    assert loss.item() == pytest.approx(4 * LN2)


def test_a_negative_that_hit_the_target_counts_for_nothing():
    one = bce_loss(torch.tensor([0.0]), torch.tensor([[0.0]]))
    assert bce_loss(torch.tensor([0.0]), torch.tensor([[0.0, -math.inf]])).item() == pytest.approx(one.item())


def test_gbce_beta_by_hand():
    # K = 1 of V - 1 = 4 others: alpha = 1/4. t = 0.5: 1/4 * (0.5 * (1 - 4) + 4) = 1/4 * 2.5 = 0.625.
    assert gbce_beta(1, 5, 0.5) == pytest.approx(0.625)
    assert gbce_beta(1, 5, 0.0) == pytest.approx(1.0)
    assert gbce_beta(1, 5, 1.0) == pytest.approx(0.25)


def test_gbce_by_hand_and_its_limit_is_bce():
    positive, negative = torch.tensor([0.0]), torch.tensor([[0.0]])
    assert gbce_loss(positive, negative, 0.625).item() == pytest.approx(1.625 * LN2)
    assert gbce_loss(positive, negative, 1.0).item() == pytest.approx(bce_loss(positive, negative).item())


def test_sampled_softmax_by_hand():
    # V = 5, one negative kept (score 0) stands for 4 items: log(2 + 4 * 1) - log 2 = log 3.
    loss = sampled_softmax_loss(torch.tensor([LN2]), torch.tensor([[0.0, -math.inf]]), 5)
    assert loss.item() == pytest.approx(math.log(3.0))


def test_sampled_softmax_over_all_other_items_is_cross_entropy():
    torch.manual_seed(0)
    scores = torch.randn(6, 9)
    targets = torch.arange(6)
    others = torch.tensor([[item for item in range(9) if item != target] for target in targets])
    loss = sampled_softmax_loss(scores.gather(1, targets[:, None])[:, 0], scores.gather(1, others), 9)
    torch.testing.assert_close(loss, F.cross_entropy(scores, targets))


@pytest.mark.parametrize("cells", [1, 20, 10_000])
def test_scores_of_drawn_items_equal_the_einsum_in_value_and_gradients(cells, monkeypatch):
    monkeypatch.setattr(gathered, "CHUNK_CELLS", cells)
    torch.manual_seed(0)
    hidden, items = torch.randn(5, 4, requires_grad=True), torch.randn(7, 4, requires_grad=True)
    drawn, weight = torch.randint(7, (5, 3)), torch.randn(5, 3)
    expected = torch.autograd.grad((torch.einsum("nd,nkd->nk", hidden, items[drawn]) * weight).sum(), (hidden, items))
    scores = gathered_scores(hidden, items, drawn)
    torch.testing.assert_close(scores, torch.einsum("nd,nkd->nk", hidden, items[drawn]))
    torch.testing.assert_close(torch.autograd.grad((scores * weight).sum(), (hidden, items)), expected)


def test_scores_of_drawn_items_never_hold_all_gathered_vectors(monkeypatch):
    monkeypatch.setattr(gathered, "CHUNK_CELLS", 64)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()) or tensor, lambda t: t):
        gathered_scores(torch.randn(50, 4, requires_grad=True), torch.randn(9, 4), torch.randint(9, (50, 16)))
    assert max(kept) == 50 * 16  # the draws themselves; the vectors would be 50 * 16 * 4


def test_negatives_are_never_the_target_and_cover_all_others():
    torch.manual_seed(0)
    targets = torch.tensor([0, 2, 4])
    drawn = uniform_negatives(targets, 5, 400)
    assert [sorted(set(row.tolist())) for row in drawn] == [[1, 2, 3, 4], [0, 1, 3, 4], [0, 1, 2, 3]]
    # each of 4 items is expected 100 times; the standard deviation is sqrt(400 * 1/4 * 3/4) = 8.7
    assert all(60 < int(count) < 140 for row in drawn for count in torch.bincount(row) if count)


@pytest.mark.parametrize("loss", ["ce", "bce", "gbce", "sampled_softmax"])
def test_every_loss_has_finite_gradients_and_none_without_targets(loss):
    torch.manual_seed(0)
    config = SequenceConfig(loss=loss, num_negatives=3)
    hidden, items = torch.randn(4, 8, requires_grad=True), torch.randn(7, 8, requires_grad=True)
    value = next_item_loss(hidden, items, torch.tensor([1, 2, 3, 6]), config)
    value.backward()
    assert value.item() > 0
    assert torch.isfinite(hidden.grad).all()
    assert items.grad.abs().sum() > 0
    assert next_item_loss(hidden[:0], items, torch.empty(0, dtype=torch.long), config).item() == 0.0


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="at least 2 items, got 1"):
        uniform_negatives(torch.tensor([0]), 1, 2)
    with pytest.raises(ValueError, match="loss must be one of ce, bce, gbce, sampled_softmax, got 'bpr'"):
        SequenceConfig(loss="bpr")
    with pytest.raises(ValueError, match="t in"):
        gbce_beta(1, 5, 1.5)
