"""How long and how fast does an id model train? The options of the loop."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

SCHEDULES = ("constant", "cosine", "linear")


@dataclass
class FitConfig:
    """Options of `genrec.fit.loop.fit`.

    Attributes:
        epochs: most passes over the examples.
        batch_size: examples per optimizer step over all processes together.
        learning_rate: peak learning rate of AdamW.
        weight_decay: decay of matrices (biases and norms are never decayed).
        warmup_ratio: share of all steps with a linearly rising learning rate.
        schedule: "constant", "cosine" or "linear" (to zero) after the warm-up.
        max_grad_norm: gradient norm is clipped here; 0 switches clipping off.
        monitor: validation metric that chooses the model, larger is better.
        eval_every: epochs between validations; the last epoch is always validated.
        patience: validations without improvement after which training stops; 0 never stops early.
        checkpoint_seconds: in mid-epoch the state is written this often (and at every validation).
        seed: seeds order and dropout, step by step, so a resumed run equals an uninterrupted one.
    """

    epochs: int = field(default=50, metadata={"help": "most passes over the examples"})
    batch_size: int = field(default=128, metadata={"help": "examples per step over all processes"})
    learning_rate: float = field(default=1e-3, metadata={"help": "peak learning rate of AdamW"})
    weight_decay: float = field(default=0.0, metadata={"help": "decay of matrices"})
    warmup_ratio: float = field(default=0.0, metadata={"help": "share of steps with rising learning rate"})
    schedule: str = field(default="constant", metadata={"help": "constant, cosine or linear"})
    max_grad_norm: float = field(default=5.0, metadata={"help": "gradient norm limit, 0 for none"})
    monitor: str = field(default="NDCG@10", metadata={"help": "validation metric that chooses the model"})
    eval_every: int = field(default=1, metadata={"help": "epochs between validations"})
    patience: int = field(default=5, metadata={"help": "validations without improvement before stopping, 0 never"})
    checkpoint_seconds: float = field(default=300.0, metadata={"help": "seconds between mid-epoch checkpoints"})
    seed: int = field(default=0, metadata={"help": "seed of order and dropout"})

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        for name, least in (
            ("epochs", 1),
            ("batch_size", 1),
            ("eval_every", 1),
            ("patience", 0),
            ("seed", 0),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.learning_rate < 0 or self.weight_decay < 0 or self.max_grad_norm < 0:
            raise ValueError(
                "learning_rate, weight_decay and max_grad_norm must not be negative, got "
                f"{self.learning_rate}, {self.weight_decay}, {self.max_grad_norm}"
            )
        if not 0.0 <= self.warmup_ratio < 1.0:
            raise ValueError(f"warmup_ratio must be in [0, 1), got {self.warmup_ratio}")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {self.schedule!r}")


def learning_rate_factor(step: int, total_steps: int, config: FitConfig) -> float:
    """Learning rate of a step over the peak.

    Args:
        step: 0-based optimizer step.
        total_steps: steps of the whole run.
        config: warm-up and schedule.

    Returns:
        Factor in (0, 1] during warm-up and in [0, 1] after it.
    """
    warmup = int(config.warmup_ratio * total_steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    progress = min(1.0, (step - warmup) / max(1, total_steps - warmup))
    if config.schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * progress))
    return 1.0 - progress if config.schedule == "linear" else 1.0
