"""A model, a tokenizer and rows small enough to train in a moment."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM
from trl import SFTConfig

from genrec.llm.backbones import TinyConfig, build_tiny

VOCABULARY = 40


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """A word-level tokenizer with 40 tokens."""
    words = {f"w{i}": i for i in range(VOCABULARY - 2)} | {"<end>": VOCABULARY - 2, "<pad>": VOCABULARY - 1}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="w0")),
        eos_token="<end>",
        pad_token="<pad>",
    )


def tiny_model(tied: bool = True, seed: int = 0) -> Qwen3ForCausalLM:
    """A Qwen3 of two layers and width 16."""
    shape = TinyConfig(16, 2, num_heads=2, num_kv_heads=2, intermediate=32, max_positions=64, tied=tied)
    torch.manual_seed(seed)
    return build_tiny(shape, VOCABULARY, seed, eos_id=VOCABULARY - 2, pad_id=VOCABULARY - 1)


def tiny_rows(count: int, seed: int = 0, low: int = 0) -> Dataset:
    """Rows of 4 to 12 tokens whose last 2 are targets."""
    rng = np.random.default_rng(seed)
    ids = [rng.integers(low, VOCABULARY - 2, size=int(rng.integers(4, 13))).tolist() for _ in range(count)]
    return Dataset.from_dict({"input_ids": ids, "completion_mask": [[0] * (len(i) - 2) + [1, 1] for i in ids]})


def tiny_args(folder: Any, **changes: Any) -> SFTConfig:
    """Arguments for CPU: full precision, no recomputation, no reports."""
    settings: dict[str, Any] = {
        "output_dir": str(folder),
        "use_cpu": True,
        "bf16": False,
        "gradient_checkpointing": False,
        "report_to": "none",
        "per_device_train_batch_size": 4,
        "num_train_epochs": 1,
        "learning_rate": 1e-2,
        "lr_scheduler_type": "cosine",
        "logging_steps": 1,
        "save_strategy": "no",
        "disable_tqdm": True,
        "seed": 1,
    }
    return SFTConfig(**{**settings, **changes})


@pytest.fixture(scope="session")
def tiny() -> SimpleNamespace:
    """The makers above, for test modules (importlib mode has no sibling imports)."""
    return SimpleNamespace(tokenizer=tiny_tokenizer, model=tiny_model, rows=tiny_rows, args=tiny_args)
