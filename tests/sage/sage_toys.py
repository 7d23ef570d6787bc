"""A model and rows small enough to train in a moment; run as a script, a training on any number of processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast
from trl import SFTConfig

from genrec.llm.backbones import TinyConfig, build_tiny
from genrec.run.processes import leave_processes
from sage.gradient.trainer import AdaptiveSFTTrainer
from sage.gradient.weights import AdaptiveGradient

VOCABULARY = 30


def toy_tokenizer() -> Any:
    words = {f"w{i}": i for i in range(VOCABULARY - 2)} | {"<end>": VOCABULARY - 2, "<pad>": VOCABULARY - 1}
    core = Tokenizer(models.WordLevel(words, unk_token="w0"))
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<end>", pad_token="<pad>")


def toy_model() -> Any:
    torch.manual_seed(0)
    shape = TinyConfig(16, 1, num_heads=2, num_kv_heads=2, intermediate=32, max_positions=64)
    return build_tiny(shape, VOCABULARY, 0)


def toy_rows(count: int = 8) -> Dataset:
    """Rows with 1 to 3 targets and histories of 0 to 20 items."""
    rng = np.random.default_rng(0)
    ids = [rng.integers(0, VOCABULARY - 2, size=int(rng.integers(5, 10))).tolist() for _ in range(count)]
    masks = [[0] * (len(row) - (n % 3 + 1)) + [1] * (n % 3 + 1) for n, row in enumerate(ids)]
    lengths = [(7 * n) % 21 for n in range(count)]
    return Dataset.from_dict({"input_ids": ids, "completion_mask": masks, "history_length": lengths})


def toy_arguments(folder: Any, **changes: Any) -> SFTConfig:
    values: dict[str, Any] = {
        "output_dir": str(folder),
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "report_to": "none",
        "per_device_train_batch_size": 4,
        "num_train_epochs": 1,
        "learning_rate": 0.5,
        "optim": "sgd",
        "logging_steps": 1,
        "save_strategy": "no",
        "disable_tqdm": True,
        "seed": 1,
    }
    return SFTConfig(**{**values, **changes})


def train(folder: Any, gradient: AdaptiveGradient | None, **changes: Any) -> Any:
    """A trained trainer."""
    trainer = AdaptiveSFTTrainer(
        toy_model(),
        toy_arguments(folder, **changes),
        toy_rows(),
        processing_class=toy_tokenizer(),
        gradient=gradient,
    )
    trainer.train()
    return trainer


if __name__ == "__main__":
    finished = train(sys.argv[1], AdaptiveGradient(), per_device_train_batch_size=2)
    if os.environ.get("RANK") == "0":
        plain = finished.accelerator.unwrap_model(finished.model)
        torch.save(plain.state_dict(), Path(sys.argv[1]) / "weights.pt")
    leave_processes(finished.accelerator.num_processes)
