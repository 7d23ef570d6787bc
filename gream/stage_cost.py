"""What will a training stage cost? Tokens, time and memory before it starts."""

from __future__ import annotations

from typing import Any

import numpy as np

from genrec.run.estimate import Estimate, estimate, memory_gib
from gream.training import StageModel


def estimate_rows(stage: StageModel, visits: float, rows: Any) -> Estimate:
    """Cost of supervised training.

    Args:
        stage: the stage.
        visits: rows seen in all epochs; `max_steps` overrides it.
        rows: the table.
    """
    config, lengths = stage.config, [len(ids) for ids in rows["input_ids"]]
    if config.max_steps > 0:  # overrides the epochs
        batch = config.per_device_train_batch_size * config.gradient_accumulation_steps * config.world_size
        visits = config.max_steps * batch
    tokens = int(visits * float(np.mean(lengths)))
    return _estimate(stage, tokens, 0, config.per_device_train_batch_size, int(np.percentile(lengths, 99)))


def estimate_rollouts(stage: StageModel, rows: Any) -> Estimate:
    """Cost of SRPO: generation, reference and policy passes, resampling rounds not counted."""
    config = stage.config
    prompt = float(np.mean([len(ids) for ids in stage.parts.tokenizer(rows["prompt"][:256])["input_ids"]]))
    completions = config.max_steps * config.per_device_train_batch_size * config.gradient_accumulation_steps
    if config.max_steps < 0:
        completions = int(len(rows) * config.num_generations * config.num_train_epochs)
    generated = completions * config.max_completion_length
    scored = int(completions * (prompt + config.max_completion_length))
    length = int(prompt) + config.max_completion_length
    return _estimate(stage, scored, generated + scored, config.per_device_train_batch_size, length)


def _estimate(stage: StageModel, tokens: int, generated: int, rows: int, length: int) -> Estimate:
    """Put the model's shape in."""
    model = stage.parts.model
    size = sum(p.numel() for p in model.parameters())
    trainable = size // 20 if stage.arguments.use_lora else size
    shape = model.config
    memory = memory_gib(
        size,
        trainable,
        rows,
        length,
        model.get_input_embeddings().weight.shape[0],
        shape.hidden_size,
        shape.num_hidden_layers,
    )
    return estimate(size, tokens, generated, memory)
