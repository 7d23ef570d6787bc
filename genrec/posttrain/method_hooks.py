"""What does a method on top of GRPO change? Five questions with GRPO's own answers; a trainer overrides some.

Legend: n completions of this process, N of all processes, B rows of a batch that is trained on.
"""

from __future__ import annotations

from typing import Any

import torch

from genrec.posttrain.resampling import Row
from genrec.posttrain.rollouts import ScoredRollouts


class MethodHooks:
    """The part of `RecGRPOTrainer` that is meant to be overridden."""

    def describe_rollouts(self, rows: list[Row], completions: list[str]) -> dict[str, torch.Tensor]:
        """Numbers about completions that the method needs from all processes.

        Args:
            rows: n dataset rows, one per completion.
            completions: n decoded texts.

        Returns:
            Columns (n,), the same names on every process; gathered to (N,) in `ScoredRollouts.facts`.
        """
        return {}

    def adjust_advantages(self, advantages: torch.Tensor, scored: ScoredRollouts) -> torch.Tensor:
        """Change the parent's advantages.

        Args:
            advantages: (n,) of this process.
            scored: rewards and facts of all processes; `scored.rows` are the local ones.

        Returns:
            (n,) advantages to train on.
        """
        return advantages

    def rollout_columns(self, scored: ScoredRollouts) -> dict[str, torch.Tensor]:
        """Numbers about completions that `clip_widths` needs when the batch is trained on.

        Args:
            scored: rewards and facts of all processes.

        Returns:
            Columns (n,) of this process; they follow their completion through shuffling and splitting.
        """
        return {}

    def clip_widths(self, inputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor] | None:
        """How far below and above 1 the ratio of each completion may go.

        Args:
            inputs: the batch, with `advantages` (B,) and what `rollout_columns` added.

        Returns:
            Two columns (B,), or None for `epsilon` and `epsilon_high`.
        """
        return None

    def rollout_metrics(self, drawn: ScoredRollouts, kept: ScoredRollouts) -> dict[str, float]:
        """Numbers to log for a generation, equal on every process.

        Args:
            drawn: what the policy did on the prompts as they came (unbiased).
            kept: what is trained on, after dead groups were replaced.

        Returns:
            Metric name -> value.
        """
        return {}
