"""Waiting jobs share a batch; bad ones spoil no other; cancelled ones vanish."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from genrec.serving.batching import MicroBatcher

pytestmark = pytest.mark.serve


def run(
    work: Any, jobs: list[Any], max_batch: int = 4, key: Any = lambda job: None
) -> tuple[list[Any], list[list[Any]]]:
    """Results of jobs that all wait while the first one (None) is at work, and the batches that were made."""
    batches: list[list[Any]] = []
    hold = threading.Event()

    def record(batch: list[Any]) -> list[Any]:
        if batch[0] is None:
            hold.wait(60)
            return [None]
        batches.append(batch)
        return work(batch)

    async def submit_all() -> list[Any]:
        batcher: MicroBatcher[Any, Any] = MicroBatcher(
            record, max_batch, lambda job: "first" if job is None else key(job)
        )
        batcher.start()
        first = asyncio.ensure_future(batcher.submit(None))
        await asyncio.sleep(0.05)
        waiting = [asyncio.ensure_future(batcher.submit(job)) for job in jobs]
        await asyncio.sleep(0.05)
        hold.set()
        results = await asyncio.gather(first, *waiting, return_exceptions=True)
        await asyncio.to_thread(batcher.close)
        return results[1:]

    return asyncio.run(submit_all()), batches


def test_waiting_jobs_share_batches_up_to_the_limit_in_order():
    results, batches = run(lambda batch: [2 * job for job in batch], [1, 2, 3, 4, 5, 6])
    assert (results, batches) == ([2, 4, 6, 8, 10, 12], [[1, 2, 3, 4], [5, 6]])


def test_only_jobs_of_one_key_share_a_batch():
    results, batches = run(lambda batch: batch, [1, 10, 2, 20], key=lambda job: job >= 10)
    assert (results, batches) == ([1, 10, 2, 20], [[1, 2], [10, 20]])


def test_a_bad_job_spoils_no_other():
    def work(batch: list[int]) -> list[int]:
        if 3 in batch:
            raise ValueError("three")
        return batch

    results, batches = run(work, [1, 3, 5])
    assert [results[0], str(results[1]), results[2]] == [1, "three", 5]
    assert batches == [[1, 3, 5], [1], [3], [5]]


def test_a_cancelled_job_is_never_worked_on():
    seen: list[Any] = []
    hold = threading.Event()

    def work(batch: list[Any]) -> list[Any]:
        hold.wait(60) if batch == [0] else None
        seen.extend(batch)
        return batch

    async def scene() -> Any:
        batcher: MicroBatcher[int, int] = MicroBatcher(work, 1)
        batcher.start()
        tasks = [asyncio.ensure_future(batcher.submit(job)) for job in (0, 1, 2)]
        await asyncio.sleep(0.05)
        tasks[1].cancel()
        await asyncio.sleep(0)
        hold.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(batcher.close)
        with pytest.raises(RuntimeError, match="closed"):
            await batcher.submit(9)
        return results

    results = asyncio.run(scene())
    assert (results[0], results[2], seen) == (0, 2, [0, 2])


def test_closing_answers_what_waits():
    async def scene() -> list[int]:
        batcher: MicroBatcher[int, int] = MicroBatcher(lambda batch: batch, 2)
        tasks = [asyncio.ensure_future(batcher.submit(job)) for job in range(5)]
        await asyncio.sleep(0)
        batcher.start()
        await asyncio.to_thread(batcher.close)
        return list(await asyncio.gather(*tasks))

    assert asyncio.run(scene()) == [0, 1, 2, 3, 4]
