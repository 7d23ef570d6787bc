"""How is a batch filled with groups that teach something? Dynamic sampling, apart from any trainer.

Legend: G completions per group; groups are contiguous rows and never span processes.
Source: METHODS 1.4 (variance-guided dynamic sampling), after DAPO.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from genrec.posttrain.rollouts import Rollouts, copy_group

Row = dict[str, Any]


@dataclass
class Batch:
    """Rollouts with the prompts and dataset rows they belong to, one entry per completion.

    Args:
        rows: dataset rows.
        prompts: their prompts.
        rollouts: what was generated.
    """

    rows: list[Row]
    prompts: list[Any]
    rollouts: Rollouts

    def take_group(self, slot: int, source: Batch, group: int, group_size: int) -> None:
        """Overwrite group `slot` in place, in all three, by group `group` of another batch."""
        self.rollouts.take_group(slot, source.rollouts, group, group_size)
        copy_group(self.prompts, slot, source.prompts, group, group_size)
        copy_group(self.rows, slot, source.rows, group, group_size)


@dataclass(frozen=True)
class Resampled:
    """How a resampling went.

    Args:
        rounds: rounds that were generated.
        filler: local groups that stayed without variance.
        filler_everywhere: their number over all processes.
    """

    rounds: int
    filler: list[int]
    filler_everywhere: int


def fill_with_live_groups(
    batch: Batch,
    dead: list[int],
    draw: Callable[[int], tuple[Batch, list[int]]],
    count_everywhere: Callable[[int], int],
    *,
    group_size: int,
    max_rounds: int,
) -> Resampled:
    """Replace dead groups by live ones of freshly drawn batches.

    Every process draws one full batch per round, whether it needs groups or not, and all stop on the same
    count, so
    that processes stay in step.

    Args:
        batch: the batch to complete, changed in place.
        dead: its groups without reward variance.
        draw: round -> a fresh batch of the same size and its live groups.
        count_everywhere: local count -> sum over processes.
        group_size: G.
        max_rounds: most rounds; groups still dead then stay and leave the loss.

    Returns:
        Rounds taken and what is left.
    """
    remaining, rounds = list(dead), 0
    missing = count_everywhere(len(remaining))
    while missing and rounds < max_rounds:
        fresh, live = draw(rounds)
        for group in live[: len(remaining)]:
            batch.take_group(remaining.pop(0), fresh, group, group_size)
        rounds += 1
        missing = count_everywhere(len(remaining))
    batch.rollouts.mask_groups(remaining, group_size)
    return Resampled(rounds, remaining, missing)


def fresh_prompt_indices(
    num_rows: int, count: int, *, seed: int, step: int, resample_round: int, rank: int
) -> list[int]:
    """Dataset rows of freshly sampled prompts, a pure function of where the run stands.

    Args:
        num_rows: rows in the dataset.
        count: prompts to draw.
        seed: run seed.
        step: number of the forward-backward pass, the same after a resume.
        resample_round: round within the generation.
        rank: process index.

    Returns:
        `count` row indices, without repetition when the dataset is large enough.
    """
    generator = np.random.default_rng([seed, step, resample_round, rank])
    return [int(row) for row in generator.choice(num_rows, size=count, replace=count > num_rows)]
