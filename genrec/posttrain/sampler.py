"""In which order are prompts visited, also after a resume? TRL's repeat sampler, aware of the epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from trl.trainer.utils import RepeatSampler


class ResumableRepeatSampler(RepeatSampler):  # type: ignore[misc]
    """TRL's sampler whose shuffle depends on the seed and the epoch only.

    The parent draws each epoch's permutation from a generator that lives as long as the sampler, so a run
    resumed in
    its third epoch would see the order of the first.

    Args:
        current_epoch: called when an epoch starts, returns its number from 0.
        options: arguments of the parent (data_source, mini_repeat_count, batch_size, repeat_count, shuffle,
            seed).
    """

    def __init__(self, current_epoch: Callable[[], int], **options: Any) -> None:
        super().__init__(**options)
        self._current_epoch = current_epoch

    def __iter__(self) -> Iterator[int]:
        """Row indices of the current epoch, the same as the parent's in an uninterrupted run."""
        if self.shuffle and self.seed is not None:
            self.generator.manual_seed(self.seed)
            for _ in range(self._current_epoch()):
                torch.randperm(self.num_samples, generator=self.generator)
        yield from super().__iter__()
