"""SRPO as a trainer: the limit equal to GRPO, resuming, learning, and what it logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from srpo_toys import Replay, arguments, make_trainer, parse, rows, weights
from transformers import AutoTokenizer
from trl import GRPOTrainer

from gream.srpo.rewards import PrefixReward


def logged(trainer, name):
    return [entry[name] for entry in trainer.state.log_history if name in entry]


def test_without_bonus_and_resampling_five_steps_equal_plain_grpo(toy_folder: Path, tmp_path: Path) -> None:
    changed = {"bonus": False, "dynamic_sampling": False, "fast_scoring": False, "max_completion_length": 4}
    ours = make_trainer(toy_folder, arguments(tmp_path / "a", max_steps=5, **changed))
    start = weights(ours)
    ours.train()
    plain = GRPOTrainer(
        str(toy_folder),
        PrefixReward(parse),
        arguments(tmp_path / "b", max_steps=5, max_completion_length=4),
        rows(),
        processing_class=AutoTokenizer.from_pretrained(toy_folder),
    )
    plain.train()
    assert not all(torch.equal(a, b) for a, b in zip(start, weights(ours), strict=True))
    assert all(torch.equal(a, b) for a, b in zip(weights(ours), weights(plain), strict=True))


def test_fast_scoring_changes_nothing_but_rounding(toy_folder: Path, tmp_path: Path) -> None:
    moved = []
    for fast in (True, False):
        options = {"optim": "sgd", "learning_rate": 0.1, "max_grad_norm": 0.0, "max_steps": 3, "temperature": 0.7}
        args = arguments(tmp_path / str(fast), fast_scoring=fast, dynamic_sampling=False, **options)
        trainer = make_trainer(toy_folder, args, rollout_func=Replay())
        start = weights(trainer)
        trainer.train()
        moved.append([after - before for before, after in zip(start, weights(trainer), strict=True)])
    for fast, slow in zip(*moved, strict=True):
        torch.testing.assert_close(fast, slow, atol=1e-6, rtol=1e-3)
    assert sum(float(change.abs().sum()) for change in moved[0]) > 0.01


def test_bonus_is_added_to_the_advantage_of_the_parent(toy_folder: Path, tmp_path: Path) -> None:
    options = {"max_steps": 1, "dynamic_sampling": False, "num_generations": 8, "shuffle_dataset": False}
    batches = {}
    for flag in (False, True):
        trainer = make_trainer(
            toy_folder, arguments(tmp_path, bonus=flag, **options), rows(1, (0, 0)), rollout_func=Replay()
        )
        trainer.train()
        batches[flag] = trainer.batches[0]["advantages"]
    # user 0 answers items 0 1 2 3 0 1 2 3: c = 2 of G = 8, K = 4, rho = 1 - C(6,4)/C(8,4) = 11/14,
    # sigma = sqrt(33)/14, hit (3/14)/sigma = 0.5222; delta = C(5,3)/C(7,3) = 2/7, miss (-1/14)/sigma
    expected = torch.tensor([0.5222, -0.1741, -0.1741, -0.1741] * 2)
    torch.testing.assert_close(batches[True] - batches[False], expected, atol=1e-4, rtol=0)


RESUME = {"max_steps": 6, "save_strategy": "steps", "save_steps": 1}
RESUME |= {
    "gradient_accumulation_steps": 2,
    "per_device_train_batch_size": 4,
}  # an epoch is 4 steps of 2 groups


@pytest.fixture(scope="module")
def whole(toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An uninterrupted run with a checkpoint after every step."""
    trainer = make_trainer(toy_folder, arguments(tmp_path_factory.mktemp("whole"), **RESUME))
    trainer.train()
    return trainer


@pytest.mark.parametrize("saved_at", [2, 4, 5])
def test_resuming_equals_an_uninterrupted_run(whole: Any, toy_folder: Path, tmp_path: Path, saved_at: int) -> None:
    resumed = make_trainer(toy_folder, arguments(tmp_path, **RESUME))
    resumed.train(resume_from_checkpoint=f"{whole.args.output_dir}/checkpoint-{saved_at}")
    assert resumed.state.global_step == 6
    assert resumed.prompts == whole.prompts[saved_at:]
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(resumed), strict=True))


def test_hit_rate_rises_in_thirty_steps_and_not_at_learning_rate_zero(toy_folder: Path, tmp_path: Path) -> None:
    gains = {}
    for rate in (0.005, 0.0):
        args = arguments(
            tmp_path,
            max_steps=30,
            learning_rate=rate,
            num_generations=10,
            per_device_train_batch_size=40,
            max_completion_length=2,
            max_resample=1,
            lr_scheduler_type="constant",
            beta=0.0,
        )
        trainer = make_trainer(toy_folder, args, rows(8, (1, 0)))  # one item of four: chance level is 1/4
        trainer.train()
        rates = logged(trainer, "hit_rate")
        gains[rate] = sum(rates[-5:]) / 5 - sum(rates[:5]) / 5
    assert gains[0.005] > 0.4
    assert abs(gains[0.0]) < 0.15  # noise of 200 answers against 200, 3.5 standard deviations


def test_every_metric_is_logged(toy_folder: Path, tmp_path: Path) -> None:
    args = arguments(tmp_path, max_steps=1, dynamic_sampling=False, shuffle_dataset=False)
    trainer = make_trainer(toy_folder, args, rows(2), rollout_func=Replay())
    trainer.train()
    entry = trainer.state.log_history[0]
    # user 0 (target item 0) answers items 0 1 2 3, user 1 (target item 1) answers items 1 3 1 3
    assert entry["hit_rate"] == pytest.approx(3 / 8)
    assert entry["kept/hit_rate"] == pytest.approx(3 / 8)
    assert entry["format_rate"] == 1.0
    assert entry["prefix_length"] == pytest.approx((2 + 1 + 0 + 0 + 2 + 0 + 2 + 0) / 8)
    assert entry["distinct_items"] == 3.0
    assert [entry[f"hits_per_group/{c}"] for c in range(5)] == [0.0, 0.5, 0.5, 0.0, 0.0]
    assert entry["zero_variance/drawn"] == entry["zero_variance/kept"] == 0.0
    assert entry["tokens_per_second"] > 0
