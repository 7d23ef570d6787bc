"""How long will a stage take here, and how much memory?

The processor (or GPU) is probed with a matrix product, the work is counted as 6 x parameters x tokens for training and
2 x parameters x tokens for generation. Small models reach only a share of the probe's speed; the share is a constant
measured on the tiny backbone and is printed with the estimate. Source: ours, because a user wants the order of
magnitude before spending a night.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from genrec.metrics.report.text import duration

TRAIN_SHARE = 0.6  # of the probed speed, forward + backward + AdamW on 1-20 M parameters, fp32, 2 cores
GENERATE_SHARE = 0.15  # step-by-step decoding is bound by overhead and memory, not by products


@dataclass(frozen=True)
class Estimate:
    """Work of a stage on this machine."""

    parameters: int
    train_tokens: int
    generate_tokens: int
    flops_per_second: float
    memory_gib: float

    @property
    def flops(self) -> float:
        """Floating point operations in all."""
        return 6.0 * self.parameters * self.train_tokens + 2.0 * self.parameters * self.generate_tokens

    @property
    def seconds(self) -> float:
        """Expected wall time."""
        train = 6.0 * self.parameters * self.train_tokens / (TRAIN_SHARE * self.flops_per_second)
        generate = 2.0 * self.parameters * self.generate_tokens / (GENERATE_SHARE * self.flops_per_second)
        return train + generate

    def __str__(self) -> str:
        """Human-readable summary."""
        return (
            f"{self.parameters / 1e6:.1f} M parameters, {self.train_tokens:,} training tokens, "
            f"{self.generate_tokens:,} generated tokens, {self.flops:.2e} FLOPs\n"
            f"about {duration(self.seconds)} at {self.flops_per_second / 1e9:.0f} GFLOP/s (probed here; "
            f"{TRAIN_SHARE:.0%} of it in training, {GENERATE_SHARE:.0%} in generation), evaluation not counted\n"
            f"about {self.memory_gib:.1f} GiB of memory per process"
        )


def probe_flops(device: str | None = None, size: int = 768, repeats: int = 8) -> float:
    """Speed of a square fp32 matrix product (bf16 on a GPU).

    Args:
        device: 'cpu' or 'cuda'; the best available when None.
        size: rows and columns.
        repeats: products that are timed, after one that is not.

    Returns:
        FLOP/s.
    """
    import torch

    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    matrix = torch.ones(size, size, device=device, dtype=torch.bfloat16 if device == "cuda" else torch.float32)
    matrix @ matrix
    started = time.perf_counter()
    for _ in range(repeats):
        result = matrix @ matrix
    float(result[0, 0])  # waits for a GPU
    return 2.0 * size**3 * repeats / (time.perf_counter() - started)


def memory_gib(
    parameters: int, trainable: int, rows: int, length: int, vocabulary: int, width: int, layers: int
) -> float:
    """Weights, gradients, AdamW moments, logits and activations of one training step.

    Args:
        parameters: all weights, 4 bytes each.
        trainable: weights with gradient and two moments, 12 bytes each.
        rows: sequences per device and step.
        length: tokens per sequence.
        vocabulary: width of the logits, kept about three times (logits, log-probs, gradient).
        width: hidden size; a layer keeps about 16 vectors of it per token.
        layers: number of layers.

    Returns:
        GiB, libraries (about 0.8 GiB) included.
    """
    tokens = rows * length
    numbers = parameters + 3 * trainable + tokens * (3 * vocabulary + 16 * width * layers)
    return 4 * numbers / 2**30 + 0.8


def estimate(
    parameters: int,
    train_tokens: int,
    generate_tokens: int = 0,
    memory: float = 0.0,
    device: str | None = None,
) -> Estimate:
    """Estimate a stage on this machine (see `Estimate`)."""
    return Estimate(parameters, train_tokens, generate_tokens, probe_flops(device), memory)
