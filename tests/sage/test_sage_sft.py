"""Supervised training with lists: the limit, no new item in a list, finite gradients, two processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sage_shop import HISTORIES, KNOWN, VECTORS, shop_names, shop_speller, toy_tokenizer
from sage_toys import toy_arguments, toy_model

from sage.gradient.trainer import AdaptiveSFTTrainer
from sage.gradient.weights import AdaptiveGradient, mean_weight, weighted_loss
from sage.items.rows import training_rows
from sage.sft.lists import answer_scores, cut_prompts
from sage.sft.trainer import ListDiversity, SageSFTTrainer, known_trie

HERE = Path(__file__).parent


def trained(folder: Any, diversity: ListDiversity | None, **changes: Any) -> Any:
    trainer = SageSFTTrainer(
        toy_model(),
        toy_arguments(folder, **{"learning_rate": 0.1, **changes}),
        training_rows(HISTORIES, shop_speller()),
        names=shop_names(),
        known=KNOWN,
        vectors=VECTORS,
        diversity=diversity,
        gradient=AdaptiveGradient(),
        processing_class=toy_tokenizer(),
    )
    trainer.train()
    return trainer


def weights(trainer: Any) -> dict[str, torch.Tensor]:
    return {
        name: value.detach() for name, value in trainer.accelerator.unwrap_model(trainer.model).state_dict().items()
    }


def test_weights_per_token_by_hand() -> None:
    # targets at 1 and 2 with histories 0 and 5: g = 2 and 1.25; position 0 never counts
    gradient, labels, lengths = AdaptiveGradient(0.5, 2.0, 5.0), [[4, 5, 6]], [[99, 0, 5]]
    mean = mean_weight(gradient, lengths, labels)
    assert mean == pytest.approx(3.25 / 2)
    loss = weighted_loss(torch.tensor([[-1.0, -2.0]]), gradient.weights(torch.tensor(lengths)), torch.tensor(mean * 2))
    assert loss.item() == pytest.approx((2 * 1 + 1.25 * 2) / 3.25)


def test_without_lists_it_is_the_adaptive_trainer(tmp_path: Path) -> None:
    plain = AdaptiveSFTTrainer(
        toy_model(), toy_arguments(tmp_path / "a", learning_rate=0.1), training_rows(HISTORIES, shop_speller()),
        gradient=AdaptiveGradient(), processing_class=toy_tokenizer(),
    )  # fmt: skip
    plain.train()
    ours, theirs = weights(trained(tmp_path / "b", None)), weights(plain)
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


def test_the_regulariser_changes_the_weights_and_is_logged(tmp_path: Path) -> None:
    with_lists = trained(tmp_path / "a", ListDiversity(1.0, every=1, size=4))
    logged = [row["list_information"] for row in with_lists.state.log_history if "list_information" in row]
    assert logged
    assert all(np.isfinite(logged))
    ours, plain = weights(with_lists), weights(trained(tmp_path / "b", None))
    assert any(not torch.equal(ours[name], value) for name, value in plain.items())
    assert all(torch.isfinite(value).all() for value in ours.values())


def test_enough_weight_makes_lists_more_varied(tmp_path: Path) -> None:
    strong = trained(tmp_path / "a", ListDiversity(20.0, every=1, prompts=2, size=5), num_train_epochs=15)
    weak = trained(tmp_path / "b", ListDiversity(1e-9, every=1, prompts=2, size=5), num_train_epochs=15)
    last = [
        [r["list_information"] for r in t.state.log_history if "list_information" in r][-3:] for t in (strong, weak)
    ]
    assert np.mean(last[0]) < np.mean(last[1])


def test_new_items_are_in_no_list_of_training() -> None:
    trie = known_trie(shop_names(), KNOWN)
    assert trie.num_items == 5
    assert trie.leaf_item(shop_names().answer_ids(5)) is None
    with pytest.raises(ValueError, match="no item is known"):
        known_trie(shop_names(), np.zeros(6, dtype=bool))


def test_prompts_end_right_after_a_supervised_item() -> None:
    ids = torch.tensor([[7, 1, 9, 2, 9, 3], [7, 1, 9, 0, 0, 0]])
    labels = torch.tensor([[-100, -100, -100, 2, 9, 3], [-100] * 6])
    generator = torch.Generator().manual_seed(0)
    assert cut_prompts(ids, labels, 9, 5, generator) == [[7, 1, 9, 2, 9]]
    assert cut_prompts(ids, torch.full_like(labels, -100), 9, 5, generator) == []


def test_answer_scores_are_the_models_own(tmp_path: Path) -> None:
    model = trained(tmp_path, None, max_steps=1).model
    prompts, answers = [[1, 2, 3], [4]], [[5, 6], [7, 8]]
    found = answer_scores(model, prompts, answers, 0)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        logits = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].log_softmax(-1)
        expected = sum(logits[len(prompt) - 1 + n, token] for n, token in enumerate(answer))
        torch.testing.assert_close(found[row], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("changes", "match"), [({"weight": -1}, "negative"), ({"size": 1}, "at least 2")])
def test_settings_out_of_range_are_refused(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        ListDiversity(**changes)


@pytest.mark.slow
def test_two_processes_take_part_in_the_lists(tmp_path: Path) -> None:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    env = {**os.environ, "ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(HERE.parents[1]), "OMP_NUM_THREADS": "1"}
    command = [*launcher, str(HERE / "two_sage.py"), str(tmp_path)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in (0, 1))
    assert all(torch.equal(first[name], value) for name, value in second.items())
