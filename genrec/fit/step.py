"""What happens in one optimizer step? Loss, exact averaging over processes, clipping, learning rate.

Legend: a global batch is what all processes together see in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrec.fit.batches import local_share
from genrec.fit.config import FitConfig, learning_rate_factor

Loss = Tensor | Mapping[str, Tensor]


class Trainable(Protocol):
    """A `torch.nn.Module` that can tell its loss."""

    def loss(self, batch: Any) -> Loss:
        """Loss of a batch.

        Args:
            batch: what the collate function returned, on the model's device.

        Returns:
            The mean loss (a scalar), or a mapping with "loss" and, for exact averages over several processes,
            "weight": the number of terms that the mean was taken over. A sum of m means over different numbers of
            terms gives both as (m,).
        """
        ...


class LossModule(nn.Module):
    """Gives `loss` the name `forward`, which is where accelerate and DDP hook in."""

    def __init__(self, model: nn.Module) -> None:
        """Wrap a `Trainable` module."""
        super().__init__()
        self.model = model

    def forward(self, batch: Any) -> tuple[Tensor, Tensor]:
        """Mean losses of a batch and their weights, both scalars or both (m,)."""
        out: Loss = self.model.loss(batch)  # type: ignore[operator]
        if isinstance(out, Tensor):
            return out, torch.ones((), device=out.device)
        loss = out["loss"]
        return loss, out.get("weight", torch.ones_like(loss)).detach().float()


class Stepper:
    """Holds model and optimizer and takes steps.

    Args:
        model: module with a `loss` method.
        collate: makes a batch of tensors from examples.
        config: options of the loop.
        total_steps: steps of the whole run, for the learning-rate schedule.
        accelerator: an `accelerate.Accelerator`.
        optimizer_state: state dict to continue from.
    """

    def __init__(
        self,
        model: nn.Module,
        collate: Callable[[Sequence[Any]], Any],
        config: FitConfig,
        total_steps: int,
        accelerator: Any,
        optimizer_state: dict[str, Any] | None = None,
    ) -> None:
        """Make the optimizer and hand both to accelerate."""
        self.collate, self.config, self.total_steps = collate, config, total_steps
        self.accelerator = accelerator
        groups = parameter_groups(model, config.weight_decay)
        optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
        self.module, self.optimizer = accelerator.prepare(LossModule(model), optimizer)
        if optimizer_state:
            self.optimizer.load_state_dict(optimizer_state)

    def __call__(self, examples: Sequence[Any], batch: NDArray[np.int64], step: int) -> float:
        """Take one step.

        Args:
            examples: all training examples.
            batch: indices of the global batch.
            step: 0-based number of the step; with the seed it decides dropout and learning rate.

        Returns:
            Mean loss of the global batch.

        Raises:
            ValueError: the loss is not finite.
        """
        accelerator, config = self.accelerator, self.config
        rows, counts = local_share(batch, accelerator.process_index, accelerator.num_processes)
        torch.manual_seed(step_seed(config.seed, step, 0))  # what a collator draws is the same on every process
        collated = self.collate([examples[row] for row in rows])
        torch.manual_seed(step_seed(config.seed, step, accelerator.process_index))
        loss, weight = self.module(_to_device(collated, accelerator.device))
        scaled = (loss * _weight_share(weight * counts, accelerator)).sum()
        value = float(accelerator.reduce(scaled.detach(), "mean"))
        if not np.isfinite(value):
            raise ValueError(f"the loss at step {step} is {value}; lower learning_rate (now {config.learning_rate})")
        accelerator.backward(scaled)
        if config.max_grad_norm > 0:
            accelerator.clip_grad_norm_(self.module.parameters(), config.max_grad_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * learning_rate_factor(step, self.total_steps, config)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return value


def step_seed(seed: int, step: int, rank: int) -> int:
    """Seed of the random numbers (dropout) of one step on one process."""
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1)[0])


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices with decay; biases, norms and other vectors without."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    return [
        {"params": [weight for weight in trained if weight.dim() >= 2], "weight_decay": weight_decay},
        {"params": [weight for weight in trained if weight.dim() < 2], "weight_decay": 0.0},
    ]


def _weight_share(weight: Tensor, accelerator: Any) -> Tensor:
    """Factor that turns DDP's mean of local means into the mean over all terms of the global batch."""
    if accelerator.num_processes == 1:
        return torch.ones_like(weight)
    total: Tensor = accelerator.reduce(weight.clone(), "sum")
    share: Tensor = weight * accelerator.num_processes / total.clamp_min(1e-9)
    return share


def _to_device(batch: Any, device: torch.device) -> Any:
    """Batch with its tensors on a device."""
    from accelerate.utils import send_to_device

    return send_to_device(batch, device)
