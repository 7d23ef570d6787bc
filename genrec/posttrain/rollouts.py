"""What came out of one generation, and which of its groups teach something? Rollouts by name.

Legend: n local completions, N completions of all processes, G completions per group, p = n / G local groups,
R reward functions. Groups are contiguous rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import torch

FLAT = 1e-6  # rewards closer than this are equal: float32 means of equal rewards differ in the eighth digit


@dataclass
class Rollouts:
    """The lists that TRL's `_generate` returns, in its order.

    Args:
        prompt_ids: n token lists.
        completion_ids: n token lists, the end token included.
        loss_mask: n lists of 0/1 as long as the completions, 1 where a token takes part in the loss; None
            for all.
        completions: n decoded texts.
        sampling_logps: n lists of the sampler's log-probabilities, None without vLLM.
        extra_fields: further columns of a custom rollout function, n values each.
        images: images of the prompts, None for text.
        tool_images: images from tools, [] for text.
    """

    prompt_ids: list[list[int]]
    completion_ids: list[list[int]]
    loss_mask: list[list[int]] | None
    completions: list[Any]
    sampling_logps: list[list[float]] | None
    extra_fields: dict[str, Any]
    images: list[Any] | None
    tool_images: list[Any]

    def as_tuple(self) -> tuple[Any, ...]:
        """The fields in TRL's order."""
        return tuple(getattr(self, column.name) for column in fields(self))

    def take_group(self, slot: int, source: Rollouts, group: int, group_size: int) -> None:
        """Overwrite a group in place by a group of other rollouts.

        Args:
            slot: index of the group to overwrite.
            source: rollouts to copy from.
            group: index of the group in `source`.
            group_size: G.
        """
        for mine, theirs in zip(self._columns(), source._columns(), strict=True):
            copy_group(mine, slot, theirs, group, group_size)

    def mask_groups(self, groups: list[int], group_size: int) -> None:
        """Take groups out of the loss and of its token count.

        Args:
            groups: indices of the groups.
            group_size: G.
        """
        if groups and self.loss_mask is None:
            self.loss_mask = [[1] * len(ids) for ids in self.completion_ids]
        for row in (group * group_size + i for group in groups for i in range(group_size)):
            assert self.loss_mask is not None
            self.loss_mask[row] = [0] * len(self.completion_ids[row])

    def with_extra_fields(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Dataset rows with the columns of a custom rollout function added, as TRL gives them to rewards."""
        if not self.extra_fields:
            return rows
        extra = self.extra_fields.items()
        return [{**row, **{k: v[i] if isinstance(v, list) else v for k, v in extra}} for i, row in enumerate(rows)]

    def _columns(self) -> list[list[Any]]:
        """Every list that holds one entry per completion."""
        plain = [self.prompt_ids, self.completion_ids, self.loss_mask, self.completions, self.sampling_logps]
        extra = [values for _, values in sorted(self.extra_fields.items()) if isinstance(values, list)]
        return [column for column in [*plain, *extra] if column is not None]


@dataclass(frozen=True)
class ScoredRollouts:
    """Scores of a batch, gathered over processes.

    Args:
        rewards_per_function: (N, R) rewards, NaN where a function abstained.
        rewards: (N,) weighted sum, NaN where all abstained.
        facts: further columns (N,) in float64.
        group_size: G.
        rows: rows of this process within N.
    """

    rewards_per_function: torch.Tensor
    rewards: torch.Tensor
    group_size: int
    rows: slice
    facts: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def flat(self) -> torch.Tensor:
        """(P,) bool, True for groups of all processes without reward variance."""
        return flat_groups(self.rewards, self.group_size)

    @property
    def local_flat(self) -> torch.Tensor:
        """(p,) bool, the same for groups of this process; groups must not span processes."""
        return flat_groups(self.rewards[self.rows], self.group_size)


def flat_groups(rewards: torch.Tensor, group_size: int) -> torch.Tensor:
    """Groups whose rewards are all equal, and so teach nothing.

    Args:
        rewards: (N,) rewards, NaN is ignored.
        group_size: G.

    Returns:
        (N / G,) bool, True where the largest and smallest reward agree or no reward is known.
    """
    groups = rewards.view(-1, group_size)
    unknown = groups.isnan()
    spread = groups.masked_fill(unknown, -torch.inf).amax(1) - groups.masked_fill(unknown, torch.inf).amin(1)
    return spread <= FLAT


def copy_group(target: list[Any], slot: int, source: list[Any], group: int, group_size: int) -> None:
    """Copy group `group` of `source` over group `slot` of `target`, in place."""
    start = group * group_size
    target[slot * group_size : (slot + 1) * group_size] = source[start : start + group_size]
