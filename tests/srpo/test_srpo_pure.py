"""Rewards, bonus and metrics against numbers derived by hand."""

from __future__ import annotations

import logging
from math import inf, sqrt
from types import SimpleNamespace

import pytest
import torch

from gream.srpo.advantage import bonus, bonus_calibrated_advantage, standardised_advantage
from gream.srpo.metrics import ZeroVarianceWatch, answer_metrics, outcome_facts
from gream.srpo.rewards import PrefixReward, judge, prefix_reward

VECTORS = {
    1: (1.2247, -0.1361),
    2: (0.7071, -0.1768),
    3: (0.4472, -0.1917),
    4: (0.2773, -0.1849),
    5: (0.1562, -0.1562),
    6: (0.0692, -0.1038),
}


def hits(*counts: int, group_size: int = 10) -> torch.Tensor:
    return torch.arange(group_size)[None] < torch.tensor(counts)[:, None]


@pytest.mark.parametrize(
    ("generated", "expected"),
    [
        ((1, 2, 3, 4), 1.0),
        ((1, 2, 3, 9), sqrt(3 / 4)),
        ((1, 2, 9, 4), sqrt(2 / 4)),
        ((1, 9, 3, 4), sqrt(1 / 4)),
        ((9, 2, 3, 4), 0.0),
        (None, 0.0),
        ((), 0.0),
        ((1, 2), sqrt(2 / 4)),
        ((1, 2, 3, 4, 5), sqrt(4 / 5)),
    ],
)
def test_reward_is_the_root_of_the_correct_prefix_share(generated: tuple[int, ...] | None, expected: float) -> None:
    assert prefix_reward(generated, (1, 2, 3, 4)) == pytest.approx(expected)


def test_reward_with_infinite_exponent_is_exact_match() -> None:
    assert prefix_reward((1, 2), (1, 2), inf) == 1.0
    assert prefix_reward((1, 3), (1, 2), inf) == 0.0
    assert prefix_reward((1, 2, 0), (1, 2, 1), inf, nominal_levels=2) == 0.0


def test_reward_with_exponent_one_is_the_share_itself() -> None:
    assert prefix_reward((1, 2, 0, 0), (1, 2, 3, 4), 1.0) == pytest.approx(0.5)


@pytest.mark.parametrize("generated", [(1, 2, 7), (1, 2)])
def test_only_the_suffix_wrong_or_missing_scores_095(generated: tuple[int, ...]) -> None:
    assert prefix_reward(generated, (1, 2, 3), nominal_levels=2) == 0.95


def test_a_superfluous_suffix_scores_095_and_never_one() -> None:
    assert prefix_reward((1, 2, 0), (1, 2), nominal_levels=2) == 0.95


def test_a_wrong_nominal_code_keeps_the_prefix_reward_under_suffix_collisions() -> None:
    assert prefix_reward((1, 9, 3), (1, 2, 3), nominal_levels=2) == pytest.approx(sqrt(1 / 3))


@pytest.mark.parametrize("exponent", [0.0, -1.0, float("nan")])
def test_reward_refuses_exponents_that_are_not_positive(exponent: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        prefix_reward((1,), (1,), exponent)


def test_reward_refuses_an_empty_target() -> None:
    with pytest.raises(ValueError, match="rerun the index stage"):
        prefix_reward((1,), ())


def test_a_right_item_in_a_wrong_format_earns_nothing() -> None:
    outcome = judge(SimpleNamespace(codes=(1, 2), format_ok=False), (1, 2))
    assert (outcome.reward, outcome.hit, outcome.codes) == (0.0, False, None)


def test_padding_of_the_target_is_not_part_of_it() -> None:
    outcome = judge(SimpleNamespace(codes=(1, 2), format_ok=True), (1, 2, -1))
    assert (outcome.reward, outcome.hit, outcome.prefix_length) == (1.0, True, 2)


def test_reward_function_parses_each_text_once() -> None:
    seen: list[str] = []

    def parse(text: str) -> SimpleNamespace:
        seen.append(text)
        return SimpleNamespace(codes=(1,), format_ok=True)

    reward = PrefixReward(parse)
    assert reward(completions=["x", "x"], target=[[1], [2]], prompts=["p", "p"]) == [1.0, 0.0]
    assert seen == ["x"]


@pytest.mark.parametrize("count", VECTORS)
def test_bonus_equals_the_vectors_of_the_paper(count: int) -> None:
    values = bonus(hits(count))
    expected = torch.where(hits(count), *VECTORS[count])
    torch.testing.assert_close(values, expected, atol=5e-5, rtol=0)


@pytest.mark.parametrize("count", [0, 7, 8, 9, 10])
def test_no_bonus_without_hits_or_when_every_draw_of_k_holds_one(count: int) -> None:
    assert bonus(hits(count)).abs().max() == 0


def test_bonus_of_a_batch_is_the_bonus_of_its_groups() -> None:
    together = bonus(hits(1, 0, 5))
    apart = torch.cat([bonus(hits(1)), bonus(hits(0)), bonus(hits(5))])
    assert torch.equal(together, apart)


@pytest.mark.parametrize("bonus_k", [0, 11])
def test_bonus_refuses_a_k_outside_the_group(bonus_k: int) -> None:
    with pytest.raises(ValueError, match="between 1 and the group size"):
        bonus(hits(1), bonus_k)


def test_advantage_is_standardised_reward_plus_bonus() -> None:
    rewards = torch.zeros(1, 10)
    rewards[0, 0] = 1.0  # mean 0.1, unbiased std sqrt(0.9 / 9) = sqrt(0.1)
    advantage = bonus_calibrated_advantage(rewards, hits(1))
    assert advantage[0, 0].item() == pytest.approx(0.9 / sqrt(0.1) + 1.2247, abs=1e-3)
    assert advantage[0, 1].item() == pytest.approx(-0.1 / sqrt(0.1) - 0.1361, abs=1e-3)


def test_advantage_without_hits_is_the_grpo_advantage() -> None:
    rewards = torch.rand(3, 10, generator=torch.Generator().manual_seed(0))
    none = torch.zeros(3, 10, dtype=torch.bool)
    assert torch.equal(bonus_calibrated_advantage(rewards, none), standardised_advantage(rewards))


def test_advantage_of_equal_rewards_is_zero_and_finite() -> None:
    assert bonus_calibrated_advantage(torch.ones(2, 10), hits(10, 10)).abs().max() == 0


def test_metrics_of_two_groups() -> None:
    answers = [(1, 1), (1, 2), None, (1, 1), (2, 2), (2, 2)]
    outcomes = [judge(SimpleNamespace(codes=c, format_ok=c is not None), (1, 1)) for c in answers]
    metrics = answer_metrics(outcome_facts(outcomes), group_size=3)
    assert metrics == pytest.approx(
        {
            "hit_rate": 2 / 6,
            "format_rate": 5 / 6,
            "prefix_length": (2 + 1 + 0 + 2 + 0 + 0) / 6,
            "distinct_items": (2 + 2) / 2,
            "hits_per_group/0": 0.0,
            "hits_per_group/1": 1.0,
            "hits_per_group/2": 0.0,
            "hits_per_group/3": 0.0,
        }
    )


def test_watch_warns_after_twenty_dead_steps_and_starts_again_after_a_live_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = ZeroVarianceWatch()
    with caplog.at_level(logging.WARNING):
        assert not any(watch.update(0.9) for _ in range(19))
        assert watch.update(0.81)
    assert "more than 80 % of the groups had no reward variance for 20 steps" in caplog.text
    assert not watch.update(0.8)
    assert not any(watch.update(1.0) for _ in range(19))
    assert watch.update(1.0)
