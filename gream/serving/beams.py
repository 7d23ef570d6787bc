"""How do many requests share one trie beam search? Waiting searches of the same width become one batch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genrec.decoding.expand import SubCatalogue
from genrec.serving.batching import MicroBatcher
from gream.recommend.lists import Ranked, beam_row
from gream.recommend.runner import Runner

KEPT_FILTERS = 64


@dataclass(frozen=True)
class BeamJob:
    """One search.

    Attributes:
        prompt: Token ids behind which an item's semantic ID follows.
        k: Items wanted.
        width: Beams; jobs of one batch have the same, so that no answer depends on its neighbours.
        exclude: Dense items that must not be listed.
        within: (num_items,) True where an item may be listed; None allows all.
        within_key: The same for the same mask.
        alone: The number of a job that must have no neighbours; 0 otherwise.
    """

    prompt: tuple[int, ...]
    k: int
    width: int
    exclude: frozenset[int] = frozenset()
    within: NDArray[np.bool_] | None = field(default=None, compare=False)
    within_key: str = ""
    alone: int = 0


class BeamServer:
    """Answers beam jobs on a thread of its own.

    Args:
        runner: Model, trie and formatter.
        max_batch: Searches per batch.
        on_batch: Told the size of every batch.
    """

    def __init__(self, runner: Runner, max_batch: int, on_batch: Callable[[int], None] | None = None) -> None:
        self._runner, self._max_batch = runner, max_batch
        self._filters: OrderedDict[str, SubCatalogue] = OrderedDict()
        self.batcher: MicroBatcher[BeamJob, list[Ranked]] = MicroBatcher(
            self._search, max_batch, lambda job: (job.width, job.alone), "beams", on_batch
        )

    async def search(self, job: BeamJob, chain: str = "") -> list[Ranked]:
        """The best items behind a prompt.

        Args:
            job: The search.
            chain: Reason put on every entry; "" in direct mode.
        """
        found = await self.batcher.submit(job)
        if not chain:
            return found
        return beam_row([entry.item for entry in found], [entry.score for entry in found], chain)

    def _search(self, jobs: list[BeamJob]) -> list[list[Ranked]]:
        """One batch; the widest list decides how many results are kept."""
        most = max(job.k for job in jobs)
        items, scores = self._runner.beam(
            [job.prompt for job in jobs], most, max(jobs[0].width, most), [job.exclude for job in jobs],
            self._max_batch, within=[self._filter(job) for job in jobs],
        )  # fmt: skip
        rows = zip(jobs, items.tolist(), scores.tolist(), strict=True)
        return [beam_row(row, values)[: job.k] for job, row, values in rows]

    def _filter(self, job: BeamJob) -> SubCatalogue | None:
        """The counts of a mask, made once per filter."""
        if job.within is None:
            return None
        if job.within_key not in self._filters:
            self._filters[job.within_key] = SubCatalogue.of(self._runner.trie, job.within)
            if len(self._filters) > KEPT_FILTERS:
                self._filters.popitem(last=False)
        self._filters.move_to_end(job.within_key)
        return self._filters[job.within_key]
