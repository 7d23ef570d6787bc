"""How often does reasoning interrupt alignment? The schedule of METHODS 1.3, as batches of two kinds.

Legend: A is an alignment batch, R a reasoning batch; both are global optimizer batches
(rows per device x processes x accumulation steps).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

Schedule = Literal["curriculum", "uniform", "align_only"]
SCHEDULES = ("curriculum", "uniform", "align_only")
ALIGN, REASON = "A", "R"


def insertion_probability(i: int, num_align: int, num_reason: int, gamma: float = 1.5) -> float:
    """Return the chance that a reasoning batch follows alignment batch `i`.

    Args:
        i: number of the alignment batch in this epoch, 1..num_align.
        num_align: alignment batches per epoch.
        num_reason: reasoning batches per epoch.
        gamma: steepness.

    Returns:
        `min(1, gamma * (i / num_align) * (num_reason / num_align))`; 0.30 for batch 50 of 100 with 40
        reasoning ones.

    Raises:
        ValueError: when a count is out of range.

    Source: METHODS 1.3; GREAM, arXiv 2510.20815.
    """
    if num_align < 1 or num_reason < 0 or not 0 <= i <= num_align:
        raise ValueError(
            f"need 0 <= i <= num_align, num_align >= 1, num_reason >= 0; got {i}, {num_align}, {num_reason}"
        )
    return min(1.0, gamma * (i / num_align) * (num_reason / num_align))


def curriculum_schedule(
    num_align: int,
    num_reason: int,
    *,
    epochs: int = 3,
    gamma: float = 1.5,
    seed: int = 0,
    schedule: Schedule = "curriculum",
) -> list[list[str]]:
    """Lay out the kinds of all batches, epoch by epoch.

    Args:
        num_align: alignment batches per epoch.
        num_reason: reasoning batches per epoch.
        epochs: number of epochs; the last one mixes uniformly.
        gamma: steepness of `insertion_probability`.
        seed: seed of the draws.
        schedule: "curriculum"; "uniform" (every epoch mixes uniformly); "align_only" (a control of the same
            number of batches, all of them alignment).

    Returns:
        Per epoch a list of "A" and "R"; except in "align_only" each epoch holds all batches of both kinds.

    Raises:
        ValueError: when a count or the schedule's name is out of range.

    Source: METHODS 1.3. With no alignment batch at all, an epoch is its reasoning batches.
    """
    if schedule not in SCHEDULES or epochs < 1 or num_align < 0 or num_reason < 0:
        raise ValueError(f"schedule must be one of {SCHEDULES}, epochs >= 1, counts >= 0; got {schedule!r}, {epochs}")
    rng = np.random.default_rng([seed, 1])
    if schedule == "align_only":
        return [[ALIGN] * (num_align + num_reason) for _ in range(epochs)]
    ramped = [_ramped_epoch(num_align, num_reason, gamma, rng) for _ in range(epochs - 1)]
    if schedule == "uniform":
        ramped = [_uniform_epoch(num_align, num_reason, rng) for _ in range(epochs - 1)]
    return [*ramped, _uniform_epoch(num_align, num_reason, rng)]


def _ramped_epoch(num_align: int, num_reason: int, gamma: float, rng: np.random.Generator) -> list[str]:
    """Insert reasoning batches with rising chance; what is left of them follows at the end."""
    kinds: list[str] = []
    for i in range(1, num_align + 1):
        kinds.append(ALIGN)
        left = num_reason - (len(kinds) - i)
        if rng.random() < insertion_probability(i, num_align, num_reason, gamma) and left > 0:
            kinds.append(REASON)
    return kinds + [REASON] * (num_align + num_reason - len(kinds))


def _uniform_epoch(num_align: int, num_reason: int, rng: np.random.Generator) -> list[str]:
    """Shuffle all batches of an epoch."""
    kinds = np.array([ALIGN] * num_align + [REASON] * num_reason)
    return [str(kind) for kind in rng.permutation(kinds)]


def mix_over_steps(schedule: Sequence[Sequence[str]], window: int = 20) -> list[float]:
    """Return the share of reasoning batches around each step, for a plot.

    Args:
        schedule: what `curriculum_schedule` returned.
        window: steps of the moving average, centred and cut at both ends.

    Returns:
        One share in [0, 1] per optimizer step.
    """
    flags = np.array([kind == REASON for epoch in schedule for kind in epoch], dtype=float)
    sums = np.concatenate([[0.0], np.cumsum(flags)])
    steps = np.arange(len(flags))
    low = np.maximum(steps - window // 2, 0)
    high = np.minimum(low + max(window, 1), len(flags))
    return [float(share) for share in (sums[high] - sums[low]) / np.maximum(high - low, 1)]
