"""Is the model better than when it started? Validation during training, with the best weights kept.

Source: ours; HF's own `load_best_model_at_end` ties the choice to saved checkpoints and to `evaluate()`, while ranking
and sampling metrics come from the caller's decoder.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from genrec.data.files import write_json

logger = logging.getLogger(__name__)

Scores = dict[str, float]


class ValidationCallback(TrainerCallback):  # type: ignore[misc]
    """Scores the model before the first step, every `every` steps and at the end; keeps the best weights.

    The scores go into `<output_dir>/validation.json`, the weights of the best score into `<output_dir>/best/`.
    Evaluation runs on the main process inside a forked random state, so that it changes nothing in the training that
    goes on around it and a resumed run equals an uninterrupted one.

    Args:
        evaluate: model -> scores on validation data, e.g. {"NDCG@10": 0.04}.
        metric: name of the score that chooses the model; larger is better.
        every: optimizer steps between evaluations; 0 evaluates only before the first and after the last step.
    """

    def __init__(self, evaluate: Callable[[Any], Scores], metric: str, every: int) -> None:
        if every < 0:
            raise ValueError(f"validate_every is {every}; it must be 0 (only first and last step) or positive.")
        self.evaluate, self.metric, self.every = evaluate, metric, every

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Score the model as it came; a resumed run has done so already."""
        if state.global_step == 0:
            self._score(args, state, kwargs["model"])

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Score at the interval."""
        if self.every and state.global_step % self.every == 0:
            self._score(args, state, kwargs["model"])

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Score after the last step, whatever ended the training: its number of steps, a budget, or an early stop."""
        scored = validation_history(Path(args.output_dir))
        if not scored or scored[-1]["step"] < state.global_step:
            self._score(args, state, kwargs["model"])

    def _score(self, args: TrainingArguments, state: TrainerState, model: Any) -> None:
        """Evaluate on the main process, record, keep the weights if they are the best so far."""
        if not state.is_world_process_zero:
            return
        folder, model = Path(args.output_dir), getattr(model, "module", model)
        scores = self._evaluate_quietly(model)
        if self.metric not in scores:
            raise ValueError(f"the validation returned {sorted(scores)}, not the metric '{self.metric}'.")
        record_scores(folder, state.global_step, scores)
        logger.info("step %d: %s", state.global_step, ", ".join(f"{k} {v:.4f}" for k, v in scores.items()))
        if best_step(folder, self.metric) == state.global_step:
            _keep(model, folder)

    def _evaluate_quietly(self, model: Any) -> Scores:
        """Evaluate without touching the random state, the gradients or the training mode."""
        training = model.training
        with torch.random.fork_rng(), torch.no_grad():
            model.eval()
            scores = {name: float(value) for name, value in self.evaluate(model).items()}
        model.train(training)
        return scores


def record_scores(folder: Path, step: int, scores: Scores) -> None:
    """Add a row to `validation.json`; what a killed attempt wrote for this step or later ones is replaced."""
    rows = [row for row in validation_history(folder) if row["step"] < step]
    write_json(folder / "validation.json", [*rows, {"step": step, **scores}])


def validation_history(folder: Path) -> list[dict[str, float]]:
    """All scores of a stage in step order; [] before the first."""
    path = folder / "validation.json"
    return list(json.loads(path.read_text())) if path.is_file() else []


def best_step(folder: Path, metric: str) -> int:
    """Step with the largest metric; the earliest among equals, and step 0 (no training) takes part.

    Where every score is 0 the validation users say nothing, and the last step is taken: training is not thrown away.

    Raises:
        ValueError: when nothing was scored yet.
    """
    rows = validation_history(folder)
    if not rows:
        raise ValueError(f"no validation scores in '{folder}'.")
    return int(max(rows, key=lambda row: (row[metric], -row["step"] if row[metric] else row["step"]))["step"])


def load_best(model: torch.nn.Module, folder: Path) -> None:
    """Put the best weights of a stage into the model.

    Args:
        model: the trained model (a PEFT model gets its adapter and new rows back).
        folder: the stage's output folder.
    """
    weights = torch.load(folder / "best" / "weights.pt", map_location="cpu", weights_only=True)
    result = model.load_state_dict(weights, strict=False)
    assert not result.unexpected_keys, result.unexpected_keys


def _keep(model: torch.nn.Module, folder: Path) -> None:
    """Write the trainable weights beside the checkpoints, whole."""
    trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    weights = {name: value for name, value in model.state_dict().items() if name in trainable}
    fresh = folder / "best.tmp"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    torch.save(weights, fresh / "weights.pt")
    shutil.rmtree(folder / "best", ignore_errors=True)
    os.replace(fresh, folder / "best")
