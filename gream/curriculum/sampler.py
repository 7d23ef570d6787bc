"""In which order do rows come? A sampler that walks the curriculum's batches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from torch.utils.data import Sampler

from genrec.posttrain.batches import shuffled_batches
from gream.curriculum.schedule import ALIGN, REASON, Schedule, curriculum_schedule


class CurriculumSampler(Sampler[int]):
    """Row numbers of the whole training, in curriculum order, for a table [alignment rows; reasoning rows].

    One pass over the sampler is all epochs, so train with `num_train_epochs=1`. Every global batch is full: a
    short tail is filled with the first rows of the same epoch's order, whatever the number of processes. The
    order depends on the arguments only, so a resumed trainer that skips batches continues where it stopped.
    Consecutive micro-batches go to processes in turn (accelerate's way), so the rows of an optimizer step are
    the same for 1 and for 2 processes.

    Args:
        num_align_rows: rows 0 .. num_align_rows - 1 are alignment rows.
        num_reason_rows: the rows after them are reasoning rows.
        batch_size: rows of a global optimizer batch: per device x processes x accumulation steps.
        epochs: number of epochs.
        gamma: steepness of `insertion_probability`.
        seed: seed of every draw.
        schedule: see `curriculum_schedule`.
        lengths: tokens per row; when given, batches hold rows of like length (less padding).

    Raises:
        ValueError: when there is no row, no room for a batch, or lengths do not match.
    """

    covers_all_epochs = True

    def __init__(
        self,
        num_align_rows: int,
        num_reason_rows: int,
        batch_size: int,
        *,
        epochs: int = 3,
        gamma: float = 1.5,
        seed: int = 0,
        schedule: Schedule = "curriculum",
        lengths: Sequence[int] | None = None,
    ) -> None:
        rows = num_align_rows + num_reason_rows
        if batch_size < 1 or rows < 1:
            raise ValueError(f"need at least one row and batch_size >= 1; got {rows} rows, batch_size {batch_size}")
        if lengths is not None and len(lengths) != rows:
            raise ValueError(f"lengths has {len(lengths)} entries for {rows} rows")
        if schedule == "align_only" and num_align_rows < 1:
            raise ValueError("schedule 'align_only' needs alignment rows")
        self.num_align_rows, self.num_rows = num_align_rows, rows
        self.batch_size, self.seed = batch_size, seed
        self.lengths = None if lengths is None else np.asarray(lengths)
        self.num_align = math.ceil(num_align_rows / batch_size)
        self.num_reason = math.ceil(num_reason_rows / batch_size)
        self.schedule = curriculum_schedule(
            self.num_align, self.num_reason, epochs=epochs, gamma=gamma, seed=seed, schedule=schedule
        )

    def __len__(self) -> int:
        """Return the number of rows of the whole training."""
        return self.num_steps * self.batch_size

    @property
    def num_steps(self) -> int:
        """Optimizer steps of the whole training."""
        return sum(len(epoch) for epoch in self.schedule)

    def __iter__(self) -> Iterator[int]:
        """Yield row numbers, batch after batch."""
        for batch in self.batches():
            yield from batch

    def batches(self) -> Iterator[list[int]]:
        """Yield the global optimizer batches, each of exactly `batch_size` rows."""
        for epoch, kinds in enumerate(self.schedule):
            streams = {kind: self._stream(kind, epoch, kinds.count(kind)) for kind in (ALIGN, REASON)}
            for kind in kinds:
                yield next(streams[kind])

    def _stream(self, kind: str, epoch: int, wanted: int) -> Iterator[list[int]]:
        """Yield `wanted` batches of one kind; passes over its rows are repeated when they do not suffice."""
        rows = np.arange(0, self.num_align_rows) if kind == ALIGN else np.arange(self.num_align_rows, self.num_rows)
        passes = 0
        while wanted > 0:
            rng = np.random.default_rng([self.seed, 2, epoch, passes, kind == REASON])
            for batch in shuffled_batches(rows, self.batch_size, rng, self.lengths)[:wanted]:
                wanted -= 1
                yield batch
            passes += 1
