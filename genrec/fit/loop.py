"""How is a model trained that is not a language model? One loop: steps, validation, early stopping, resume.

Order and dropout are functions of (seed, step), so a run that was killed continues to the same weights, and
the best
model on validation is what the caller gets back.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from tqdm import tqdm

from genrec.fit.batches import BatchPlan
from genrec.fit.config import FitConfig
from genrec.fit.state import FitState, copied, load_state, plain, save_state
from genrec.fit.step import Stepper

logger = logging.getLogger(__name__)

Example = TypeVar("Example")


@dataclass
class FitResult:
    """What a fit came to.

    Attributes:
        best: validation metrics, epoch, step and mean training loss of the chosen model.
        history: the same for every validation.
        seconds: training and validation time in seconds, earlier sessions included.
        stopped_early: whether patience ran out before the last epoch.
    """

    best: dict[str, float]
    history: list[dict[str, float]]
    seconds: float
    stopped_early: bool


def fit(
    model: nn.Module,
    examples: Sequence[Example],
    collate: Callable[[Sequence[Example]], Any],
    validate: Callable[[], Mapping[str, float]],
    config: FitConfig,
    *,
    lengths: Sequence[int] | None = None,
    settings: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
    progress: bool = False,
    accelerator: Any = None,
) -> FitResult:
    """Train a model and leave it in its best state.

    Args:
        model: module with a `loss(batch)` method (see `genrec.fit.step.Trainable`).
        examples: training examples.
        collate: makes a batch of tensors from examples.
        validate: returns validation metrics, `config.monitor` among them; called in evaluation mode without
            gradients, on the main process only.
        config: options.
        lengths: length of each example, to batch similar ones together.
        settings: what else decides the result, such as the loss and its options: a kept state with other ones is
            refused.
        folder: where the state is kept; with it a killed run resumes. None keeps nothing.
        progress: show a progress bar on the main process.
        accelerator: an `accelerate.Accelerator`, default a new one.

    Returns:
        Metrics of the chosen model and of every validation.

    Raises:
        ValueError: no examples, a loss that is not finite, a missing monitor, or a state of another run.
    """
    if len(examples) == 0:
        raise ValueError("there are no training examples: every history has fewer than 2 items")
    if accelerator is None:
        from accelerate import Accelerator

        accelerator = Accelerator()
    plan = BatchPlan(len(examples), config.batch_size, config.seed, lengths)
    kept = Path(folder) if folder is not None else None
    with torch.random.fork_rng():
        known = {**asdict(config), "settings": plain(settings or {})}
        run = _Run(model, examples, collate, validate, config, plan, known, kept, accelerator)
        return run.train(progress)


class _Run:
    """One run of the loop; its methods are the steps."""

    def __init__(
        self,
        model: nn.Module,
        examples: Sequence[Any],
        collate: Callable[[Sequence[Any]], Any],
        validate: Callable[[], Mapping[str, float]],
        config: FitConfig,
        plan: BatchPlan,
        known: Mapping[str, Any],
        folder: Path | None,
        accelerator: Any,
    ) -> None:
        """Take up an earlier state if there is one."""
        self.model, self.examples, self.validate = model, examples, validate
        self.config, self.plan, self.folder, self.accelerator = config, plan, folder, accelerator
        self.total_steps = config.epochs * plan.batches_per_epoch
        parameters = sum(weight.numel() for weight in model.parameters())
        fingerprint = {**known, "examples": len(examples), "parameters": parameters}
        del fingerprint["checkpoint_seconds"]  # when states are written changes nothing
        self.state = load_state(folder, fingerprint) or FitState(fingerprint=fingerprint)
        if self.state.model:
            model.load_state_dict(self.state.model)
            logger.info("resuming at step %d of %d", self.state.step, self.total_steps)
        self.stepper = Stepper(model, collate, config, self.total_steps, accelerator, self.state.optimizer)
        self.started = self.saved = time.perf_counter()
        self.earlier_seconds = self.state.seconds

    def train(self, progress: bool) -> FitResult:
        """Run the remaining epochs and load the best model."""
        hide = not (progress and self.accelerator.is_main_process)
        done = self.state.step
        with tqdm(total=self.total_steps, initial=done, desc="fit", unit="step", disable=hide) as bar:
            while not self.state.finished:
                self._epoch(self.state.step // self.plan.batches_per_epoch, bar)
        assert self.state.best is not None
        self.model.load_state_dict(self.state.best_model)
        self.model.eval()
        stopped = self.state.step < self.total_steps
        return FitResult(self.state.best, self.state.history, self.state.seconds, stopped)

    def _epoch(self, epoch: int, bar: Any) -> None:
        """Train what is left of an epoch, then validate and save if it is due."""
        done = self.state.step - epoch * self.plan.batches_per_epoch
        self.stepper.module.train()
        for batch in self.plan.epoch(epoch)[done:]:
            self.state.epoch_loss += self.stepper(self.examples, batch, self.state.step)
            self.state.step += 1
            bar.update()
            at_end = self.state.step == (epoch + 1) * self.plan.batches_per_epoch
            if not at_end and time.perf_counter() - self.saved > self.config.checkpoint_seconds:
                self._save()
        due = self.state.step == self.total_steps or (epoch + 1) % self.config.eval_every == 0
        if due:
            bar.set_postfix(**self._validate(epoch))
        self.state.epoch_loss = 0.0
        if due or time.perf_counter() - self.saved > self.config.checkpoint_seconds:
            self._save()

    def _validate(self, epoch: int) -> dict[str, str]:
        """Measure, keep the best model, decide whether to stop; returns what the bar shows."""
        self.stepper.module.eval()
        loss, monitor = self.state.epoch_loss / self.plan.batches_per_epoch, self.config.monitor
        entry = {"epoch": epoch + 1, "step": self.state.step, "loss": loss, "seconds": self._seconds()}
        entry.update(self._metrics())
        self.state.history.append(entry)
        best = self.state.best
        if best is None or entry[monitor] > best[monitor]:
            best = self.state.best = entry
            self.state.stale, self.state.best_model = 0, copied(self.model.state_dict())
        else:
            self.state.stale += 1
        out_of_patience = 0 < self.config.patience <= self.state.stale
        self.state.finished = self.state.step == self.total_steps or out_of_patience
        found = (loss, monitor, entry[monitor], best[monitor])
        logger.info("epoch %d: loss %.4f, %s %.4f (best %.4f)", epoch + 1, *found)
        return {"loss": f"{loss:.3f}", monitor: f"{entry[monitor]:.4f}"}

    def _metrics(self) -> dict[str, float]:
        """Validation metrics, computed on the main process and told to the others."""
        found: list[Any] = [None]
        if self.accelerator.is_main_process:
            with torch.no_grad():
                found = [dict(self.validate())]
        if self.accelerator.num_processes > 1:
            torch.distributed.broadcast_object_list(found, src=0)
        metrics: dict[str, float] = found[0]
        if self.config.monitor not in metrics:
            raise ValueError(f"validation returned {sorted(metrics)} but monitor is {self.config.monitor!r}")
        return metrics

    def _seconds(self) -> float:
        """Seconds spent so far, earlier sessions included."""
        return self.earlier_seconds + time.perf_counter() - self.started

    def _save(self) -> None:
        """Write the state (main process)."""
        self.saved = time.perf_counter()
        self.state.seconds = self._seconds()
        if self.folder is not None and self.accelerator.is_main_process:
            self.state.model = copied(self.model.state_dict())
            self.state.optimizer = self.stepper.optimizer.state_dict()
            save_state(self.folder, self.state)
