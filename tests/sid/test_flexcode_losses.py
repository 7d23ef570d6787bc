"""FlexCode's own terms against numbers derived by hand."""

import math

import numpy as np
import pytest
import torch

from genrec.sid.flexcode.losses import (
    balance_loss,
    budget_loss,
    hard_mask,
    info_nce,
    rounded_split,
    smoothness_loss,
    soft_mask,
)
from genrec.sid.flexcode.neighbours import nearest_texts


def test_soft_mask_by_hand() -> None:
    # 1.5 tokens, edge 1: sigmoid(1), sigmoid(0), sigmoid(-1)
    expected = [1 / (1 + math.exp(-1)), 0.5, 1 / (1 + math.exp(1))]
    assert soft_mask(torch.tensor([1.5]), 3, 1.0)[0].tolist() == pytest.approx(expected)


def test_a_sharp_soft_mask_is_the_rounded_mask() -> None:
    counts = torch.tensor([0.2, 1.4, 1.6, 3.0])
    soft = soft_mask(counts, 4, 0.01)
    assert torch.allclose(soft, hard_mask((counts + 0.5).floor(), 4), atol=1e-3)


def test_more_tokens_raise_every_position_of_the_soft_mask() -> None:
    counts = torch.tensor([2.0], requires_grad=True)
    soft_mask(counts, 4, 0.5).sum().backward()
    assert counts.grad is not None
    assert counts.grad.item() > 0


@pytest.mark.parametrize(
    ("alpha", "budget", "least", "expected"),
    [
        (0.5, 4.0, 1, (2, 2)),
        (0.6, 4.4, 1, (2, 2)),  # 4 tokens, 2.4 rounds to 2
        (0.63, 4.5, 1, (3, 2)),  # 5 tokens, 3.15 rounds to 3
        (1.0, 4.0, 1, (3, 1)),  # one semantic token always stays
        (1.0, 4.0, 0, (4, 0)),
        (0.0, 3.0, 1, (0, 3)),
    ],
)
def test_rounding_by_hand(alpha: float, budget: float, least: int, expected: tuple[int, int]) -> None:
    cf, sem = rounded_split(torch.tensor([alpha]), torch.tensor([budget]), least)
    assert (int(cf), int(sem)) == expected


def test_info_nce_by_hand() -> None:
    # rows (1,0) and (0,1) on both sides, temperature 1: logits [[1,0],[0,1]], each row -log(e / (e + 1))
    units = torch.eye(2)
    assert info_nce(units, 5 * units, 1.0).item() == pytest.approx(math.log(1 + math.exp(-1)))
    # exchanged partners: -log(1 / (1 + e))
    assert info_nce(units, units.flip(0), 1.0).item() == pytest.approx(math.log(1 + math.e))


def test_info_nce_of_one_item_is_zero_and_differentiable() -> None:
    left = torch.ones(1, 2, requires_grad=True)
    info_nce(left, torch.ones(1, 2)).backward()
    assert left.grad is not None


def test_balance_weighs_strata_and_not_items() -> None:
    # stratum 0 has mean (0 + 0 + 0) / 3, stratum 1 has 0.6: their mean 0.3 is 0.2 short of 0.5
    loss = balance_loss(torch.tensor([0.0, 0.0, 0.0, 0.6]), torch.tensor([0, 0, 0, 1]))
    assert loss.item() == pytest.approx(0.04)


def test_smoothness_by_hand() -> None:
    # item 0 (value 0): neighbours at 0.5 (weight 1) and 1 (weight 0.5); item 1 (value 1): one unlike it, one equal
    near, weights = torch.tensor([[0.5, 1.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.5], [-1.0, 0.5]])
    loss = smoothness_loss(torch.tensor([0.0, 1.0]), near, weights)
    assert loss.item() == pytest.approx((1 * 0.25 + 0.5 * 1 + 0.5 * 0) / 2)


def test_smoothness_is_zero_where_nothing_is_similar() -> None:
    assert smoothness_loss(torch.tensor([0.0]), torch.tensor([[1.0]]), torch.tensor([[0.0]])).item() == 0.0


def test_nearest_texts_leave_the_item_itself_out() -> None:
    items, cosines = nearest_texts(np.array([[2.0, 0], [1, 0], [0, 3], [1, 0]], dtype=np.float32), 2)
    assert items.tolist()[2][0] in (0, 1, 3)
    assert all(row not in found for row, found in enumerate(items.tolist()))
    assert sorted(items.tolist()[0]) == [1, 3]  # the same direction, at cosine 1
    assert cosines[0].tolist() == pytest.approx([1, 1])
    assert cosines[2].tolist() == pytest.approx([0, 0])


def test_budget_looks_at_the_mean_only() -> None:
    assert budget_loss(torch.tensor([3.0, 6.0]), 4.5).item() == 0.0
    assert budget_loss(torch.tensor([3.0, 3.0]), 4.0).item() == 1.0
