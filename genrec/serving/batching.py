"""How do requests that wait at the same time share one forward pass? A worker thread that takes what is there.

No request waits for company: the worker takes all that queued up while it was busy. An idle server answers at once, a
busy one in batches.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)
Job = TypeVar("Job")
Result = TypeVar("Result")


class MicroBatcher(Generic[Job, Result]):
    """Runs jobs in batches on a thread of its own.

    Args:
        work: Results of a batch of jobs, in order; called on the worker thread only.
        max_batch: Most jobs of a batch.
        key: Jobs share a batch only when their keys are equal.
        name: Of the thread.
        on_batch: Told the size of every batch.
    """

    def __init__(
        self,
        work: Callable[[list[Job]], Sequence[Result]],
        max_batch: int,
        key: Callable[[Job], Hashable] = lambda job: None,
        name: str = "batcher",
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        self._work, self._max_batch, self._key, self._on_batch = work, max_batch, key, on_batch
        self._waiting: deque[tuple[Job, Future[Result]]] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self) -> None:
        """Answer what waits, then stop."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        if self._thread.is_alive():
            self._thread.join()

    def alive(self) -> bool:
        """Whether jobs will be answered."""
        return self._thread.is_alive() and not self._closed

    async def submit(self, job: Job) -> Result:
        """Result of a job; cancelling the call takes a waiting job out of the queue.

        Raises:
            RuntimeError: The batcher is closed.
        """
        future: Future[Result] = Future()
        with self._wake:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            self._waiting.append((job, future))
            self._wake.notify()
        return await asyncio.wrap_future(future)

    def _run(self) -> None:
        while batch := self._next_batch():
            if self._on_batch is not None:
                self._on_batch(len(batch))
            self._answer(batch)

    def _next_batch(self) -> list[tuple[Job, Future[Result]]]:
        """Wait for jobs; the oldest and all that may share its batch. Empty when closed and done."""
        with self._wake:
            while True:
                while not self._waiting and not self._closed:
                    self._wake.wait()
                if not self._waiting:
                    return []
                batch = self._take()
                if batch:
                    return batch

    def _take(self) -> list[tuple[Job, Future[Result]]]:
        """Jobs of the oldest one's key; cancelled ones vanish."""
        batch: list[tuple[Job, Future[Result]]] = []
        left: deque[tuple[Job, Future[Result]]] = deque()
        for job, future in self._waiting:
            if future.cancelled():
                continue
            fits = not batch or self._key(job) == self._key(batch[0][0])
            if fits and len(batch) < self._max_batch and future.set_running_or_notify_cancel():
                batch.append((job, future))
            elif not future.cancelled():
                left.append((job, future))
        self._waiting = left
        return batch

    def _answer(self, batch: list[tuple[Job, Future[Result]]]) -> None:
        """Set the results; when a batch fails each job is tried alone, so one bad job spoils no other."""
        try:
            results = self._work([job for job, _ in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            logger.warning("a batch of %d failed (%s); its jobs are tried alone", len(batch), type(error).__name__)
            for entry in batch:
                self._answer([entry])
            return
        for (_, future), result in zip(batch, results, strict=True):
            future.set_result(result)
