"""Reinforcement learning: limits equal to GRPO and GSPO, objectives and bounds that reach the loss, bad settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from sage_shop import COUNTS, KNOWN, VECTORS, shop_speller, toy_tokenizer
from sage_toys import toy_model

from genrec.posttrain.grpo import RecGRPOTrainer
from genrec.posttrain.grpo_config import RecGRPOConfig
from sage.rl.config import SageRLConfig
from sage.rl.rewards import Spelt, hit_values
from sage.rl.trainer import SageRLTrainer, clipped_share, rollout_rows, unit_rows

PAIRS = [([0, 1], 2), ([2], 3), ([4, 0], 1), ([3, 2], 0)]
PLAIN = {
    "diversity_weight": 0.0, "cold_weight": 0.0, "near_hit": 0.0, "normalise_batch": False, "eps_boost": 0.0,
    "widen": 0.0,
}  # fmt: skip


def settings(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "output_dir": str(folder), "use_cpu": True, "bf16": False, "gradient_checkpointing": False, "report_to": "none",
        "save_strategy": "no", "disable_tqdm": True, "logging_steps": 1, "max_steps": 3, "seed": 4, "beta": 0.0,
        "num_generations": 4, "per_device_train_batch_size": 8, "max_completion_length": 8, "learning_rate": 0.05,
        "steps_per_generation": 1, "num_iterations": 2, "loss_type": "grpo", "temperature": 1.0, "top_p": 1.0,
        "optim": "sgd", **changes,
    }  # fmt: skip


def trainer(folder: Path, **changes: Any) -> SageRLTrainer:
    args = SageRLConfig(**settings(folder, **changes))
    speller = shop_speller()
    return SageRLTrainer(
        toy_model(), args, rollout_rows(PAIRS, speller), toy_tokenizer(),
        speller=speller, known=KNOWN, vectors=VECTORS, counts=COUNTS,
    )  # fmt: skip


def plain(folder: Path, level: str) -> RecGRPOTrainer:
    """GRPO (level token) or GSPO (level sequence) on the hit reward alone, under the same constraint."""
    speller = shop_speller()
    ours = trainer(folder / "seam", **PLAIN)
    names, unit = speller.names, unit_rows(VECTORS)
    spelt = Spelt([names.answer_ids(item) for item in range(6)])

    def hit(completion_ids: list[list[int]], target: list[int], **_: Any) -> list[float]:
        return hit_values([spelt.item(ids) for ids in completion_ids], target, unit).tolist()

    args = RecGRPOConfig(**settings(folder, answer_constraint="trie", importance_sampling_level=level))
    return RecGRPOTrainer(
        toy_model(), hit, args, rollout_rows(PAIRS, speller), toy_tokenizer(),
        answer_constraint=ours.answer_constraint, encode_prompts=ours.encode_prompts,
    )  # fmt: skip


@pytest.mark.parametrize("level", ["token", "sequence"])
def test_without_extras_it_is_grpo_or_gspo(tmp_path: Path, level: str) -> None:
    ours = trainer(tmp_path / "a", importance_sampling_level=level, **PLAIN)
    ours.train()  # before the other is made: making a trainer sets the seed
    theirs = plain(tmp_path / "b", level)
    theirs.train()
    moved = False
    start = toy_model().state_dict()
    for name, value in theirs.model.state_dict().items():
        torch.testing.assert_close(ours.model.state_dict()[name], value, atol=1e-6, rtol=1e-5)
        moved |= not torch.equal(value, start[name])
    assert moved


def test_all_three_objectives_train_and_are_logged(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.train()
    row = next(row for row in run.state.log_history if "objective/hit" in row)
    assert {"objective/diversity", "objective/cold", "list_entropy", "distinct_items", "hit_rate"} <= set(row)
    assert 0 <= row["list_entropy"] <= 1
    assert all(torch.isfinite(value).all() for value in run.model.state_dict().values())


def test_only_known_items_are_sampled(tmp_path: Path) -> None:
    run = trainer(tmp_path, max_steps=2)
    run.train()
    assert set(run.objectives.items) <= {0, 1, 2, 3, 4}


def test_bounds_of_their_own_reach_the_loss(tmp_path: Path) -> None:
    run = trainer(tmp_path, eps_boost=0.3, widen=1.0)
    inputs = {"advantages": torch.tensor([1.0, -1.0]), "list_entropy": torch.tensor([0.0, 0.0])}
    found = run.clip_widths(inputs)
    assert found is not None
    assert found[0].tolist() == pytest.approx([0.2, 0.4])
    assert found[1].tolist() == pytest.approx([0.5, 0.2])
    assert run.clip_widths({"advantages": torch.tensor([1.0])}) is None  # evaluation
    before = run.epsilon_low, run.epsilon_high
    run.train()
    assert (run.epsilon_low, run.epsilon_high) == before


def test_ratios_leave_their_bounds_and_the_share_is_kept(tmp_path: Path) -> None:
    run = trainer(tmp_path, learning_rate=5.0, max_steps=4)
    run.train()
    share = clipped_share(run.state.log_history)
    assert share is not None
    assert share > 0
    assert clipped_share([{"loss": 1.0}]) is None


def test_ratios_that_never_leave_one_are_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = trainer(tmp_path, num_iterations=1)
    run.train()
    assert clipped_share(run.state.log_history) == 0.0
    assert "no ratio was clipped in 3 steps" in caplog.text


def test_extras_change_what_is_learnt(tmp_path: Path) -> None:
    runs = []
    for name, changes in (("a", PLAIN), ("b", {})):
        runs.append(trainer(tmp_path / name, **changes))
        runs[-1].train()
    first, second = (run.model.state_dict() for run in runs)
    assert any(not torch.equal(first[name], second[name]) for name in first)


def test_prompts_reach_the_model_token_for_token(tmp_path: Path) -> None:
    run, speller = trainer(tmp_path), shop_speller()
    prompts = rollout_rows(PAIRS, speller)["prompt"]
    assert run._tokenize_prompts(list(prompts))[0] == [speller.prompt(history) for history, _ in PAIRS]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"hit_weight": 0.0, "diversity_weight": 0.0, "cold_weight": 0.0}, "not all 0"),
        ({"cold_weight": -1.0}, ">= 0"),
        ({"near_hit": 1.0}, "a miss a hit"),
        ({"eps_boost": -0.1}, "negative"),
        ({"num_generations": 8, "per_device_train_batch_size": 4, "steps_per_generation": 3}, "divisible"),
    ],
)
def test_settings_out_of_range_are_refused(tmp_path: Path, changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        SageRLConfig(**settings(tmp_path, **changes))
