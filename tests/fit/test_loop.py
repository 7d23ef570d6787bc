"""Facts about the training loop, on a linear model."""

import numpy as np
import pytest
import torch
from torch import nn

from genrec.fit.config import FitConfig
from genrec.fit.loop import fit
from genrec.fit.state import STATE_FILE
from genrec.fit.step import Stepper, parameter_groups

TRUTH = torch.tensor([1.0, -2.0, 0.5])


class Linear(nn.Module):
    """Least squares with dropout on the inputs, so that random numbers matter."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3, 1))
        self.bias = nn.Parameter(torch.zeros(1))
        self.dropout = nn.Dropout(dropout)
        self.calls = 0

    def loss(self, batch):
        self.calls += 1
        error = (self.dropout(batch["x"]) @ self.weight)[:, 0] + self.bias - batch["y"]
        return {"loss": error.square().mean(), "weight": torch.tensor(float(len(error)))}


def examples(count=40):
    points = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    return [torch.from_numpy(point) for point in points]


def collate(rows):
    x = torch.stack(list(rows))
    return {"x": x, "y": x @ TRUTH}


def closeness(model):
    """Validation: larger is better."""
    return lambda: {"score": -float((model.weight[:, 0] - TRUTH).norm())}


def run(folder=None, epochs=6, model=None, settings=None, **options):
    model = model or Linear()
    config = FitConfig(**{"epochs": epochs, "batch_size": 8, "learning_rate": 0.1, "monitor": "score", **options})
    return model, fit(model, examples(), collate, closeness(model), config, settings=settings, folder=folder)


def test_it_learns_and_reports_every_epoch():
    model, result = run(epochs=30, patience=0)
    assert result.best["score"] > -0.3
    assert [entry["epoch"] for entry in result.history] == list(range(1, 31))
    assert result.history[-1]["loss"] < 0.2 * result.history[0]["loss"]
    assert result.history[-1]["step"] == 30 * 5
    assert not result.stopped_early
    assert not model.training


def test_two_runs_give_the_same_weights_and_leave_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, _ = run()
    assert torch.equal(torch.rand(1), expected)
    torch.manual_seed(77)
    second, _ = run()
    assert torch.equal(first.weight, second.weight)
    assert not torch.equal(first.weight, run(seed=1)[0].weight)


def test_the_best_state_is_kept_and_patience_stops():
    model = Linear()
    scores = iter([0.1, 0.5, 0.4, 0.3, 0.9])
    seen = []

    def validate():
        seen.append(model.weight.detach().clone())
        return {"score": next(scores)}

    config = FitConfig(epochs=9, batch_size=8, learning_rate=0.1, monitor="score", patience=2)
    result = fit(model, examples(), collate, validate, config)
    assert result.stopped_early
    assert len(result.history) == 4
    assert result.best["epoch"] == 2
    assert torch.equal(model.weight, seen[1])


def test_validation_falls_on_every_second_epoch_and_on_the_last():
    _, result = run(epochs=5, eval_every=2)
    assert [entry["epoch"] for entry in result.history] == [2, 4, 5]


class Killed(Exception):
    """Stands for a kill in the middle of training."""


@pytest.mark.parametrize("steps", [3, 11, 18, 25])
def test_a_killed_run_continues_to_the_same_weights(tmp_path, monkeypatch, steps):
    options = {"schedule": "cosine", "warmup_ratio": 0.1, "patience": 0, "checkpoint_seconds": 0.0}
    whole, expected = run(**options)
    original, taken = Stepper.__call__, []

    def dies(self, *args):
        if len(taken) == steps:
            raise Killed
        taken.append(args)
        return original(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(Stepper, "__call__", dies)
        with pytest.raises(Killed):
            run(tmp_path, **options)
    model, result = run(tmp_path, **options)
    assert model.calls == 30 - steps  # a state is written after every step here
    assert torch.equal(model.weight, whole.weight)
    assert torch.equal(model.bias, whole.bias)
    assert [entry["score"] for entry in result.history] == [entry["score"] for entry in expected.history]
    assert [entry["loss"] for entry in result.history] == [entry["loss"] for entry in expected.history]


def test_a_finished_run_is_not_trained_again(tmp_path):
    first, expected = run(tmp_path)
    again, result = run(tmp_path)
    assert again.calls == 0
    assert torch.equal(first.weight, again.weight)
    assert result.best == expected.best


def test_the_state_of_another_run_is_refused_by_name(tmp_path):
    run(tmp_path)
    with pytest.raises(ValueError, match=r"fit_state.pt was written with .*'learning_rate': 0.1.* use another folder"):
        run(tmp_path, learning_rate=0.2)
    assert (tmp_path / STATE_FILE).exists()
    assert len(list(tmp_path.iterdir())) == 1


def test_the_state_of_another_loss_is_refused_and_of_the_same_is_taken_up(tmp_path):
    run(tmp_path, settings={"loss": "gbce", "gbce_t": 0.75, "levels": (1, 2)})
    with pytest.raises(ValueError, match=r"written with \{'gbce_t': 0.75\}, this run has \{'gbce_t': 0.5\}"):
        run(tmp_path, settings={"loss": "gbce", "gbce_t": 0.5, "levels": (1, 2)})
    with pytest.raises(ValueError, match=r"\{'loss': 'gbce', 'gbce_t': 0.75, 'levels': \[1, 2\]\}, this run has"):
        run(tmp_path)
    again, _ = run(tmp_path, settings={"loss": "gbce", "gbce_t": 0.75, "levels": (1, 2)})
    assert again.calls == 0


def test_a_diverging_loss_stops_with_step_and_remedy():
    model = Linear()
    with torch.no_grad():
        model.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="loss at step 0 is nan; lower learning_rate"):
        run(model=model)


def test_a_missing_monitor_and_no_examples_are_refused():
    with pytest.raises(ValueError, match=r"validation returned \['score'\] but monitor is 'NDCG@10'"):
        run(monitor="NDCG@10")
    with pytest.raises(ValueError, match="no training examples"):
        fit(Linear(), [], collate, dict, FitConfig())


def test_a_loss_may_be_a_plain_tensor_and_gradients_are_clipped():
    class Plain(Linear):
        def loss(self, batch):
            return 1e6 * super().loss(batch)["loss"]

    model, result = run(model=Plain(), max_grad_norm=1.0, epochs=2)
    assert result.history
    assert torch.isfinite(model.weight).all()


def test_only_matrices_decay():
    matrices, vectors = parameter_groups(Linear(), 0.1)
    assert (len(matrices["params"]), matrices["weight_decay"]) == (1, 0.1)
    assert (len(vectors["params"]), vectors["weight_decay"]) == (1, 0.0)
