"""The supervised anchor beside RL: its gradient is added as it stands, and resumes where it was."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig
from srpo_toys import USERS, Replay, arguments, make_trainer, weights
from transformers import AutoModelForCausalLM, AutoTokenizer

from genrec.posttrain.anchor import AnchorRows, divergence

EXACT = {"optim": "sgd", "learning_rate": 0.5, "lr_scheduler_type": "constant", "max_grad_norm": 0.0, "beta": 0.0}


def anchor_table(folder: Path) -> Dataset:
    """Each user followed by item (0, 1); the user is the prompt."""
    texts = [f"{user} <a_0> <b_1> <eos>" for user in USERS]
    ids = AutoTokenizer.from_pretrained(folder)(text=texts)["input_ids"]
    return Dataset.from_dict({"input_ids": ids, "completion_mask": [[0, 1, 1, 1]] * len(ids)})


def run(folder: Path, output: Path, lora: bool = False, **changes: Any) -> Any:
    options = {"dynamic_sampling": False, "max_steps": 1, **EXACT, **changes}
    adapter = {"peft_config": LoraConfig(r=4, target_modules="all-linear")} if lora else {}
    rows = anchor_table(folder)
    trainer = make_trainer(folder, arguments(output, **options), rollout_func=Replay(), anchor_rows=rows, **adapter)
    trainer.train()
    return trainer


@pytest.mark.parametrize("accumulation", [1, 2])
def test_the_weighted_gradient_of_the_rows_is_added(toy_folder: Path, tmp_path: Path, accumulation: int) -> None:
    steps = {"gradient_accumulation_steps": accumulation, "per_device_train_batch_size": 8 // accumulation}
    plain = run(toy_folder, tmp_path / "plain", **steps)
    anchored = run(toy_folder, tmp_path / "anchored", anchor_weight=0.3, anchor_batch_size=5, **steps)
    model = AutoModelForCausalLM.from_pretrained(toy_folder)
    rows = AnchorRows(anchor_table(toy_folder), 5, model.config.pad_token_id or 0, seed=7)
    sum(model(**rows.batch(number, 0, "cpu")).loss / accumulation for number in range(accumulation)).backward()
    moved = 0.0
    for alone, both, parameter in zip(weights(plain), weights(anchored), model.parameters(), strict=True):
        torch.testing.assert_close(both - alone, -0.5 * 0.3 * parameter.grad, atol=2e-6, rtol=1e-3)
        moved += float(parameter.grad.abs().sum())
    assert moved > 0
    assert "anchor_loss" in anchored.state.log_history[0]


def test_the_divergence_of_two_coins_is_that_of_the_textbook() -> None:
    # one label, at the second of three tokens: start (1/2, 1/2), policy (1/4, 3/4):
    # 1/2 ln(1/2 : 1/4) + 1/2 ln(1/2 : 3/4) = 1/2 ln(4/3)
    policy = torch.tensor([0.25, 0.75]).log().expand(1, 1, 2).clone().requires_grad_()
    batch = {"input_ids": torch.zeros(1, 3, dtype=torch.long), "labels": torch.tensor([[-100, 1, -100]])}
    asked: list[list[int]] = []

    def forward(logits_to_keep: torch.Tensor, **_: Any) -> SimpleNamespace:
        asked.append(logits_to_keep.tolist())
        return SimpleNamespace(logits=policy)

    found = divergence(forward, lambda **_: torch.zeros(1, 1, 2), {**batch, "attention_mask": batch["input_ids"]})
    found.backward()
    assert asked == [[0]]
    assert float(found.detach()) == pytest.approx(0.5 * math.log(4 / 3))
    torch.testing.assert_close(policy.grad, torch.tensor([[[-0.25, 0.25]]]))  # policy - start


@pytest.mark.parametrize("lora", [False, True])
def test_a_reference_anchor_is_still_at_the_start_and_pulls_back_later(
    toy_folder: Path, tmp_path: Path, lora: bool
) -> None:
    options: dict[str, Any] = {"beta": 1e-9, "max_steps": 6, "learning_rate": 1.0 if lora else 0.05, "lora": lora}
    plain = run(toy_folder, tmp_path / "plain", **options)
    held = run(
        toy_folder, tmp_path / "held", anchor_weight=1.0, anchor_target="reference", anchor_batch_size=5, **options
    )
    losses = [row["anchor_loss"] for row in held.state.log_history if "anchor_loss" in row]
    assert losses[0] == pytest.approx(0.0, abs=1e-6)
    assert losses[-1] > 1e-5
    rows = AnchorRows(anchor_table(toy_folder), 8, 0, seed=7).batch(0, 0, "cpu")
    start = AutoModelForCausalLM.from_pretrained(toy_folder)
    gone = [
        float(divergence(one.model, lambda **inputs: start(**inputs).logits, rows).detach()) for one in (plain, held)
    ]
    assert gone[1] < gone[0]


def test_resuming_draws_the_rows_of_an_uninterrupted_run(toy_folder: Path, tmp_path: Path) -> None:
    options = {"anchor_weight": 1.0, "anchor_batch_size": 2, "max_steps": 4, "save_strategy": "steps", "save_steps": 2}
    whole = run(toy_folder, tmp_path / "whole", **options)
    resumed = make_trainer(
        toy_folder,
        arguments(tmp_path / "again", **{"dynamic_sampling": False, **EXACT, **options}),
        rollout_func=Replay(),
        anchor_rows=anchor_table(toy_folder),
    )
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-2"))
    assert all(torch.equal(a, b) for a, b in zip(weights(whole), weights(resumed), strict=True))


def test_batches_differ_by_pass_and_process_and_repeat_for_a_place(toy_folder: Path) -> None:
    rows = AnchorRows(anchor_table(toy_folder), 3, 0, seed=1)
    batches = {place: rows.batch(*place, "cpu")["input_ids"][:, 0].tolist() for place in ((0, 0), (1, 0), (0, 1))}
    assert len({tuple(users) for users in batches.values()}) == 3
    assert rows.batch(1, 0, "cpu")["input_ids"][:, 0].tolist() == batches[1, 0]


def test_a_weight_without_rows_is_refused(toy_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="anchor_rows"):
        make_trainer(toy_folder, arguments(tmp_path, anchor_weight=0.1))
    with pytest.raises(ValueError, match="anchor_weight"):
        arguments(tmp_path, anchor_weight=-1.0)
    with pytest.raises(ValueError, match="beta"):
        arguments(tmp_path, anchor_weight=1.0, anchor_target="reference", beta=0.0)
    with pytest.raises(ValueError, match="anchor_target"):
        arguments(tmp_path, anchor_weight=1.0, anchor_target="teacher")
