"""Every term of the RQ-VAE against numbers derived by hand."""

import pytest
import torch

from genrec.sid.rqvae.codebook import Codebook
from genrec.sid.rqvae.losses import (
    codebook_values,
    commitment_values,
    dead_codes,
    masked_sum,
    moving_average,
    reconstruction_values,
    straight_through,
)

# one item, two levels of width 2: level 0 has (3, 4) for the codeword (3, 0), level 1 (0, 4) for (1, 4)
RESIDUALS = torch.tensor([[[3.0, 4.0], [0.0, 4.0]]])
CHOSEN = torch.tensor([[[3.0, 0.0], [1.0, 4.0]]])


def test_reconstruction_is_the_squared_distance() -> None:
    # (1 - 0)^2 + (2 - 4)^2 = 5
    assert reconstruction_values(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 4.0]])).tolist() == [5.0]


def test_commitment_by_hand() -> None:
    # level 0: 4^2 = 16, level 1: 1^2 = 1; with shares 0.5 and 1: 8 + 1
    assert commitment_values(RESIDUALS, CHOSEN).tolist() == [17.0]
    assert commitment_values(RESIDUALS, CHOSEN, torch.tensor([[0.5, 1.0]])).tolist() == [9.0]


def test_commitment_moves_the_encoder_and_the_codebook_term_moves_the_codewords() -> None:
    for loss, moves in ((commitment_values, 0), (codebook_values, 1)):
        pair = [RESIDUALS.clone().requires_grad_(), CHOSEN.clone().requires_grad_()]
        mask = torch.ones(1, 2, requires_grad=True)
        loss(*pair, mask).sum().backward()
        assert pair[moves].grad is not None
        assert pair[1 - moves].grad is None
        assert mask.grad is None


def test_a_mask_scales_each_codeword() -> None:
    # 0.5 * (3, 0) + 1 * (1, 4) = (2.5, 4)
    assert masked_sum(CHOSEN, torch.tensor([[0.5, 1.0]])).tolist() == [[2.5, 4.0]]
    assert masked_sum(CHOSEN).tolist() == [[4.0, 4.0]]


def test_straight_through_has_the_quantised_value_and_the_gradient_of_both() -> None:
    latent, mask = torch.tensor([[3.0, 4.0]], requires_grad=True), torch.tensor([[1.0, 0.0]], requires_grad=True)
    out = straight_through(latent, masked_sum(CHOSEN, mask))
    out.sum().backward()
    assert out.tolist() == [[3.0, 0.0]]
    assert latent.grad.tolist() == [[1.0, 1.0]]
    assert mask.grad.tolist() == [[3.0, 5.0]]  # the sums of each codeword


def test_moving_average_by_hand() -> None:
    # decay 0.5; code 0 had weight 2 and sum 4, gets points 6 (weight 1) and 2 (weight 0.5): 1.5 and 7 fresh
    counts, sums = moving_average(
        torch.tensor([2.0, 4.0]),
        torch.tensor([[4.0], [8.0]]),
        torch.tensor([[6.0], [2.0]]),
        torch.tensor([0, 0]),
        torch.tensor([1.0, 0.5]),
        decay=0.5,
    )
    assert counts.tolist() == [1.75, 2.0]
    assert sums.tolist() == [[5.5], [4.0]]


def test_a_code_far_below_the_mean_usage_is_dead() -> None:
    # mean 2: with share 0.5 everything below 1 is dead
    assert dead_codes(torch.tensor([5.0, 0.9, 0.1, 2.0]), 0.5).tolist() == [False, True, True, False]
    assert not dead_codes(torch.zeros(3), 0.5).any()


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_a_dead_code_comes_back_at_a_point_of_the_batch(update: str) -> None:
    book = Codebook(2, 1, update, decay=0.0, revive_below=0.5)
    book.start_at(torch.tensor([[0.0], [100.0]]))
    points = torch.tensor([[1.0], [3.0]])
    book.learn(points, book.nearest(points))
    assert book.codewords[1].item() in (1.0, 3.0)
    assert int(book.revived) == 1
    # "ema" with decay 0 is the mean of the points, "gradient" leaves the codeword alone
    assert book.codewords[0].item() == (2.0 if update == "ema" else 0.0)
