"""History-length weights: numbers by hand, the plain limit, exactness over batches and processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from sage_toys import toy_arguments, toy_model, toy_rows, toy_tokenizer, train

from genrec.posttrain.sft import RecSFTTrainer
from sage.gradient.trainer import AdaptiveSFTTrainer
from sage.gradient.weights import AdaptiveGradient, mean_weight, weighted_loss

HERE = Path(__file__).parent


def test_weights_by_hand() -> None:
    # low 0.5, high 2, half-life 5: n=0 -> 2; n=5 -> 0.5 + 1.5 / 2 = 1.25; n=10 -> 0.5 + 1.5 / 4 = 0.875
    found = AdaptiveGradient(0.5, 2.0, 5.0).weights(torch.tensor([0, 5, 10]))
    assert found.tolist() == pytest.approx([2.0, 1.25, 0.875])


def test_mean_and_loss_by_hand() -> None:
    # g = 2 and 1.25; row 0 has two targets (position 0 is none), row 1 has one: (2 * 2 + 1.25) / 3 = 1.75
    gradient, labels = AdaptiveGradient(0.5, 2.0, 5.0), [[7, 5, 6], [-100, -100, 4]]
    mean = mean_weight(gradient, [0, 5], labels)
    assert mean == pytest.approx(1.75)
    # (2 * (1 + 2) + 1.25 * 4) / (1.75 * 3) = 11 / 5.25
    log_probs = torch.tensor([[-1.0, -2.0], [0.0, -4.0]])
    loss = weighted_loss(log_probs, gradient.weights(torch.tensor([0, 5])), torch.tensor(mean * 3))
    assert loss.item() == pytest.approx(11 / 5.25)
    with pytest.raises(ValueError, match="no row has a target"):
        mean_weight(gradient, [0], [[7, -100]])


def test_weights_average_to_one_over_all_targets() -> None:
    gradient, lengths, labels = AdaptiveGradient(), [[0, 0, 1], [30, 30, 30]], [[0, 1, 1], [0, 1, -100]]
    mean = mean_weight(gradient, lengths, labels)
    # a constant log-probability of -1 gives loss 1 whatever the weights
    log_probs = -(torch.tensor(labels)[:, 1:] != -100).float()
    weights = gradient.weights(torch.tensor(lengths))
    assert weighted_loss(log_probs, weights, torch.tensor(mean * 3)).item() == pytest.approx(1.0)


def test_a_batch_of_equal_histories_keeps_its_weight(tmp_path: Path) -> None:
    """The cold rows share the first batch: its step is g(0) over the mean weight of all rows times the plain one."""
    rows = toy_rows().remove_columns("history_length").add_column("history_length", [0] * 4 + [40] * 4)
    steps, gradient = [], AdaptiveGradient()
    for weights in (None, gradient):
        args = toy_arguments(tmp_path, max_steps=1, learning_rate=0.01, max_grad_norm=1e9)
        run = AdaptiveSFTTrainer(
            toy_model(), args, rows, processing_class=toy_tokenizer(), gradient=weights,
            sampler=torch.utils.data.SequentialSampler(rows),
        )  # fmt: skip
        run.train()
        name = "model.embed_tokens.weight"
        steps.append(run.model.state_dict()[name] - toy_model().state_dict()[name])
    mean = mean_weight(gradient, rows["history_length"], run.train_dataset["labels"])
    assert 2.0 / mean > 1.2
    torch.testing.assert_close(steps[1], steps[0] * (2.0 / mean), atol=1e-6, rtol=1e-3)


def weights_of(trainer: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in trainer.model.state_dict().items()}


def assert_equal(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> None:
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-5, rtol=1e-4)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """Weights after two steps on batches of four."""
    return weights_of(train(tmp_path_factory.mktemp("whole"), AdaptiveGradient()))


def test_equal_weights_take_the_steps_of_the_plain_trainer(tmp_path: Path) -> None:
    ours = train(tmp_path / "a", AdaptiveGradient(1.7, 1.7))
    args = toy_arguments(tmp_path / "b")
    plain = RecSFTTrainer(toy_model(), args, toy_rows(), processing_class=toy_tokenizer())
    plain.train()
    assert_equal(weights_of(plain), weights_of(ours))
    assert plain.state.log_history[0]["loss"] == pytest.approx(ours.state.log_history[0]["loss"], abs=1e-4)


def test_without_weights_it_is_the_plain_trainer(tmp_path: Path) -> None:
    ours = train(tmp_path / "a", None)
    args = toy_arguments(tmp_path / "b")
    plain = RecSFTTrainer(toy_model(), args, toy_rows(), processing_class=toy_tokenizer())
    plain.train()
    assert all(torch.equal(a, b) for a, b in zip(weights_of(plain).values(), weights_of(ours).values(), strict=True))


def test_weights_change_the_steps(whole: dict[str, torch.Tensor], tmp_path: Path) -> None:
    plain = weights_of(train(tmp_path, None))
    assert any(not torch.allclose(plain[name], value, atol=1e-4) for name, value in whole.items())


@pytest.mark.parametrize("pieces", [2, 4])
def test_accumulation_takes_the_same_steps(whole: dict[str, torch.Tensor], tmp_path: Path, pieces: int) -> None:
    split = {"per_device_train_batch_size": 4 // pieces, "gradient_accumulation_steps": pieces}
    assert_equal(whole, weights_of(train(tmp_path, AdaptiveGradient(), **split)))


def test_two_processes_take_the_same_steps(whole: dict[str, torch.Tensor], tmp_path: Path) -> None:
    root = os.pathsep.join([str(HERE), str(HERE.parents[1])])
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": root}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*launch, str(HERE / "sage_toys.py"), str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert_equal(whole, torch.load(tmp_path / "weights.pt"))


def test_evaluation_reports_the_plain_loss(tmp_path: Path) -> None:
    losses = []
    for gradient in (None, AdaptiveGradient()):
        trainer = AdaptiveSFTTrainer(
            toy_model(),
            toy_arguments(tmp_path),
            toy_rows(),
            processing_class=toy_tokenizer(),
            gradient=gradient,
            eval_dataset=toy_rows(4),
        )
        losses.append(trainer.evaluate()["eval_loss"])
    assert losses[0] == pytest.approx(losses[1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"low": 0.0}, "0 < low <= high"), ({"low": 3.0}, "0 < low <= high"), ({"half_life": 0.0}, "half_life")],
)
def test_bad_weights_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AdaptiveGradient(**changes)


def test_rows_without_history_length_are_refused(tmp_path: Path) -> None:
    rows = toy_rows().remove_columns("history_length")
    with pytest.raises(ValueError, match="lack the column 'history_length'"):
        AdaptiveSFTTrainer(toy_model(), toy_arguments(tmp_path), rows, processing_class=toy_tokenizer())
