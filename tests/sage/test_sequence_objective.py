"""SAGE's advantage, ratio, bounds and rewards: numbers by hand, and their limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sage.advantage import batch_normalised, combined_advantage, group_normalised
from sage.loss import clip_widths, clipped_objective, list_entropy, sequence_ratio
from sage.rl.rewards import Spelt, cold_values, diversity_values, hit_values


def test_group_normalisation_by_hand() -> None:
    # mean 1, unbiased deviation sqrt(((1)^2 + 0 + 1^2) / 2) = 1
    found = group_normalised(torch.tensor([[0.0, 1.0, 2.0], [5.0, 5.0, 5.0]]), eps=0.0)
    assert found[0].tolist() == pytest.approx([-1.0, 0.0, 1.0])
    assert group_normalised(torch.tensor([[5.0, 5.0]])).tolist() == [[0.0, 0.0]]


def test_objectives_are_weighed_after_their_groups_were_normalised() -> None:
    # the second objective is 100 times larger and counts half all the same
    rewards = torch.tensor([[[0.0, 1.0, 2.0]], [[200.0, 100.0, 0.0]]])
    found = combined_advantage(rewards, [1.0, 0.5], normalise_batch=False, eps=0.0)
    assert found[0].tolist() == pytest.approx([-0.5, 0.0, 0.5])


def test_the_batch_step_gives_mean_zero_and_deviation_one() -> None:
    found = combined_advantage(torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0)), [1.0, 0.3, 0.2])
    assert found.mean().item() == pytest.approx(0.0, abs=1e-6)
    assert found.std().item() == pytest.approx(1.0, abs=1e-3)
    # (0, 2): mean 1, deviation sqrt 2
    assert batch_normalised(torch.tensor([0.0, 2.0]), 0.0).tolist() == pytest.approx(
        [-1 / math.sqrt(2), 1 / math.sqrt(2)]
    )


def test_one_objective_without_the_batch_step_is_grpo() -> None:
    rewards = torch.rand(1, 3, 4, generator=torch.Generator().manual_seed(1))
    plain = (rewards[0] - rewards[0].mean(1, keepdim=True)) / (rewards[0].std(1, keepdim=True) + 1e-4)
    assert torch.equal(combined_advantage(rewards, [1.0], normalise_batch=False), plain)


def test_misses_among_themselves_weigh_less_than_a_hit() -> None:
    # group 0 holds a hit; group 1 only misses: over their own deviation 0.01 they would get 1, -1 and 0
    rewards = torch.tensor([[[1.0, 0.0, 0.0], [0.02, 0.0, 0.01]]])
    own = combined_advantage(rewards, [1.0], normalise_batch=False, eps=0.0)
    assert own[1].abs().max().item() == pytest.approx(1.0)
    found = combined_advantage(rewards, [1.0], False, 0.0, decided=torch.tensor([[True, False]]))
    assert torch.equal(found[0], own[0])
    spread = rewards.std().item()  # of the batch, about 0.4
    assert found[1].tolist() == pytest.approx([0.01 / spread, -0.01 / spread, 0.0], abs=1e-6)


def test_weights_must_fit_the_objectives() -> None:
    with pytest.raises(ValueError, match="one per objective"):
        combined_advantage(torch.zeros(2, 1, 3), [1.0])


def test_the_ratio_is_the_geometric_mean_over_chosen_tokens() -> None:
    # token ratios 2 and 8 (the third is masked): sqrt(16) = 4
    new = torch.log(torch.tensor([[2.0, 8.0, 100.0]]))
    mask = torch.tensor([[1.0, 1.0, 0.0]])
    assert sequence_ratio(new, torch.zeros(1, 3), mask).item() == pytest.approx(4.0)
    assert sequence_ratio(new, torch.zeros(1, 3), torch.zeros(1, 3)).item() == 1.0


def test_bounds_by_hand() -> None:
    below, above = clip_widths(torch.tensor([1.0, -1.0, -1.0]), torch.tensor([0.0, 1.0, 0.5]), 0.2, 0.1, 1.0)
    assert below.tolist() == pytest.approx([0.2, 0.2, 0.3])  # 0.2 * (1 + 1 * (1 - 0.5)) = 0.3
    assert above.tolist() == pytest.approx([0.3, 0.2, 0.2])


def test_without_extras_the_bounds_are_grpos() -> None:
    below, above = clip_widths(torch.tensor([1.0, -1.0]), torch.tensor([0.0, 0.0]), 0.2)
    assert below.tolist() == pytest.approx([0.2, 0.2])
    assert above.tolist() == pytest.approx([0.2, 0.2])


def test_the_width_below_one_never_reaches_it() -> None:
    below, _ = clip_widths(torch.tensor([-1.0]), torch.tensor([0.0]), 0.5, 0.0, 10.0)
    assert below.item() < 1


def test_clipped_objective_by_hand() -> None:
    # A = 1, ratio 1.5, bound 1.3 -> 1.3; A = -1, ratio 0.5, bound 0.7 -> -0.7; A = -1, ratio 2 -> -2 (never clipped)
    found = clipped_objective(
        torch.tensor([1.5, 0.5, 2.0]), torch.tensor([1.0, -1.0, -1.0]), torch.full((3,), 0.3), torch.full((3,), 0.3)
    )
    assert found.tolist() == pytest.approx([1.3, -0.7, -2.0])


def test_list_entropy_by_hand() -> None:
    # 2 + 1 + 1 of 4: -(1/2 log 1/2 + 2 * 1/4 log 1/4) / log 4 = 3/4
    items = torch.tensor([[7, 7, 1, 2], [3, 3, 3, 3], [1, 2, 3, 4]])
    assert list_entropy(items).tolist() == pytest.approx([0.75, 0.0, 1.0])
    assert list_entropy(items[:, :1]).tolist() == [1.0, 1.0, 1.0]


UNIT = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [-1.0, 0.0]])


def test_hits_by_hand() -> None:
    found = hit_values([0, 1, 3, -1], [0, 0, 0, 0], UNIT, near=0.5)
    assert found.tolist() == pytest.approx([1.0, 0.5 * 0.6, 0.0, 0.0])


def test_diversity_by_hand() -> None:
    # group (0, 1, 2): cosines 0.6, 0, 0.8; of item 0: 1 - (0.6 + 0) / 2 = 0.7; group (0, 0, -1): 1 - 1 = 0
    found = diversity_values([0, 1, 2, 0, 0, -1], UNIT, 3)
    assert found.tolist() == pytest.approx([0.7, 1 - 1.4 / 2, 0.6, 0.0, 0.0, 0.0])


def test_cold_by_hand() -> None:
    # counts 0, 3, 1, 0: coldness of item 1 is 1 - log 4 / log 4 = 0, of item 2 it is 1 - log 2 / log 4 = 1/2
    found = cold_values([1, 2, 0, -1], [1, 1, 0, 0], UNIT, [0, 3, 1, 0])
    assert found.tolist() == pytest.approx([0.0, 0.5 * 0.8, 1.0, 0.0])


def test_answers_are_read_up_to_their_end_token() -> None:
    spelt = Spelt([[5, 6, 9], [5, 9]])
    assert [spelt.item(ids) for ids in ([5, 9], [5, 6, 9, 0, 0], [5, 6], [])] == [1, 0, -1, -1]
