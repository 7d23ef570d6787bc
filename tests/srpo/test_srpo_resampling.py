"""Dynamic sampling inside one process: filler, reproducible draws, untouched logs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from srpo_toys import Replay, arguments, make_trainer, rows, weights


def test_filler_leaves_the_loss_and_its_token_count(toy_folder: Path, tmp_path: Path) -> None:
    args = arguments(tmp_path, max_steps=1, max_resample=0, shuffle_dataset=False)
    trainer = make_trainer(toy_folder, args, rows(2), rollout_func=Replay(dead=True))
    trainer.train()
    batch = trainer.batches[0]  # user 0 lives, user 1 is dead: three tokens in each of four live completions
    assert trainer.prompts[0] == ["u0"] * 4 + ["u1"] * 4
    assert (batch["tool_mask"] * batch["completion_mask"]).sum(dim=1).tolist() == [3] * 4 + [0] * 4
    assert float(batch["num_items_in_batch"]) == 12
    assert trainer.state.log_history[0]["resample/filler"] == 0.5


def test_a_batch_of_filler_only_moves_no_weight_despite_the_kl_term(toy_folder: Path, tmp_path: Path) -> None:
    args = arguments(tmp_path, max_steps=2, max_resample=1, beta=1.0)
    dead = rows(8, (0, 1)).map(lambda row: {"prompt": "u1" if row["prompt"] < "u4" else "u3"})
    trainer = make_trainer(toy_folder, args, dead, rollout_func=Replay(dead=True))
    with torch.no_grad():  # away from the reference, so that the KL term alone would pull
        for parameter in trainer.model.parameters():
            parameter.mul_(1.1)
    before = weights(trainer)
    trainer.train()
    assert [entry["resample/filler"] for entry in trainer.state.log_history[:2]] == [1.0, 1.0]
    assert all(torch.equal(a, b) for a, b in zip(before, weights(trainer), strict=True))


def test_resampled_rows_carry_their_own_targets(toy_folder: Path, tmp_path: Path) -> None:
    args = arguments(tmp_path, max_steps=2, max_resample=20)
    trainer = make_trainer(toy_folder, args, rollout_func=Replay(dead=True))
    trainer.train()
    for batch, prompts in zip(trainer.batches, trainer.prompts, strict=True):
        encoded = trainer.processing_class(text=prompts)["input_ids"]
        assert batch["prompt_ids"].flatten().tolist() == [ids[0] for ids in encoded]
        rewards = trainer.reward(
            completions=trainer.processing_class.batch_decode(batch["completion_ids"]),
            target=[rows()[int(prompt[1:])]["target"] for prompt in prompts],
        )
        grouped = torch.tensor(rewards).view(-1, 4)
        signs = torch.sign(batch["advantages"].view(-1, 4))
        assert torch.equal(signs, torch.sign(grouped - grouped.mean(dim=1, keepdim=True)))


def test_probing_leaves_no_trace_in_the_logs_of_reward_functions(toy_folder: Path, tmp_path: Path) -> None:
    args = arguments(tmp_path, max_steps=1, max_resample=20, shuffle_dataset=False, log_completions=False)
    trainer = make_trainer(toy_folder, args, rollout_func=Replay(dead=True))
    inner = trainer.reward_funcs[0]

    def noisy(log_metric, log_extra, completions, **columns):
        log_metric("seen", 1.0)
        log_extra("column", ["x"] * len(completions))
        return inner(completions=completions, **columns)

    trainer.reward_funcs[0] = noisy
    trainer.train()
    assert trainer.state.log_history[0]["seen"] == pytest.approx(1.0)
    assert len(trainer._logs["extra"]["column"]) == 8


def test_evaluation_does_not_resample(toy_folder: Path, tmp_path: Path) -> None:
    args = arguments(tmp_path, per_device_eval_batch_size=8)
    trainer = make_trainer(toy_folder, args, rollout_func=Replay(dead=True), eval_dataset=rows(4))
    numbers = trainer.evaluate()
    assert numbers["eval_zero_variance/drawn"] == 0.5
    assert "eval_resample/rounds" not in numbers
    assert sorted(prompt for step in trainer.prompts for prompt in step) == sorted(["u0", "u1", "u2", "u3"] * 4)
