"""How does one job run in parts? Blocks of its questions, each a job of its own, joined at the end."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from data_synthesis.core.asking import JobConfig
from data_synthesis.core.runner import NEAR_DUPLICATE
from data_synthesis.engines import Engine, Prompt
from data_synthesis.filters import mark_repeats
from data_synthesis.job import JobResult, NothingAccepted, Task, batches_path, rejects_path, run_job, statistics_path
from data_synthesis.records import Record, read_records
from genrec.data.files import read_json, sha256_of, write_json, write_whole
from genrec.data.texts import write_rows

Describe = Callable[[list[Record]], dict[str, Any]]


@dataclass(frozen=True)
class ShardConfig:
    """In how many parts a job runs, and where.

    Raises:
        ValueError: A value breaks its rule.
    """

    shards: int = field(default=1, metadata={"help": "parts of the job; each is resumed on its own"})
    shard: int = field(
        default=-1, metadata={"help": "write this part only (0-based); -1 = all, then join them into OUT"}
    )
    ray: str = field(
        default="",
        metadata={
            "help": "run the parts with Ray Data: local = on this machine, auto = on the cluster this machine "
            "belongs to; needs the extra `ray` and a folder that all machines share. Empty = one after another"
        },
    )

    def __post_init__(self) -> None:
        if self.shards < 1 or not -1 <= self.shard < self.shards:
            raise ValueError(f"shard {self.shard} of {self.shards}: shards count from 0, and there is at least one")
        if self.ray and (self.shards < 2 or self.shard >= 0):
            raise ValueError(f"ray={self.ray} needs several shards and no single one; set shards=8, for example")


class Shard:
    """One block of a task's questions; everything else is the task's.

    Args:
        task: The whole.
        number: Which block, 0-based.
        of: How many blocks.
    """

    def __init__(self, task: Task, number: int, of: int) -> None:
        self._task, self._number, self._of = task, number, of
        self.command, self.config, self.options = task.command, task.config, task.options
        self.attempts, self.facts = task.attempts, task.facts
        self.read, self.judge, self.accept = task.read, task.judge, task.accept

    def prompts(self) -> Sequence[Prompt]:
        """The questions of the block, in their order."""
        whole = self._task.prompts()
        begin, end = (len(whole) * number // self._of for number in (self._number, self._number + 1))
        return whole[begin:end]


def shard_path(out: Path, number: int, of: int) -> Path:
    """The file of one part."""
    return out.with_name(f"{out.stem}.{number:05d}-of-{of:05d}{out.suffix}")


def run_parts(
    task: Task, engine: Engine, out: Path, job: JobConfig, describe: Describe, shards: ShardConfig, **files: bool
) -> JobResult:
    """Runs a job whole, one part of it, or its parts one after another with the join.

    Args:
        task: What to write.
        engine: Who writes.
        out: The file of the whole.
        job: Limits and caps of the whole; each part gets its share of the caps.
        describe: Further statistics of the accepted records.
        shards: Which parts.
        files: `overwrite` and `progress` of `run_job`.

    Returns:
        The result of the part, or of the whole.

    Raises:
        ValueError: As `run_job` and `join`.
    """
    of = shards.shards
    if of == 1:
        return run_job(task, engine, out, job, describe, **files)
    alone = shards.shard < 0
    share = share_of(job, of, side_by_side=not alone)
    for number in range(of) if alone else (shards.shard,):
        part = Shard(task, number, of)
        result = run_job(part, engine, shard_path(out, number, of), share, describe, allow_empty=True, **files)
    if alone:
        threshold = task.options.near_duplicates if engine.reads_words else 0.0
        result = join(out, of, threshold, describe, overwrite=files.get("overwrite", False))
        batches_path(out).unlink(missing_ok=True)
    return result


def share_of(job: JobConfig, shards: int, *, side_by_side: bool) -> JobConfig:
    """What one of several parts may use, so that all together stay within the job's limits and caps."""
    share = replace(job, max_cost=job.max_cost / shards, max_tokens=-(-job.max_tokens // shards))
    if not side_by_side:
        return share
    return replace(
        share,
        concurrency=max(1, job.concurrency // shards),
        requests_per_minute=-(-job.requests_per_minute // shards),
        tokens_per_minute=-(-job.tokens_per_minute // shards),
    )


def join(out: Path, shards: int, threshold: float, describe: Describe, *, overwrite: bool = False) -> JobResult:
    """Joins finished parts into one file with one statistics file; the parts stay.

    Args:
        out: The file to write.
        shards: How many parts there are.
        threshold: Near-duplicates are looked for once more, now across the parts; 0 = not.
        describe: Further statistics of the records.
        overwrite: Replace a file that other parts made.

    Returns:
        The result.

    Raises:
        ValueError: A part is missing or was edited, or the file belongs to another job.
        NothingAccepted: No part has a row.
    """
    paths = [shard_path(out, number, shards) for number in range(shards)]
    parts = [_finished_part(path) for path in paths]
    _refuse_foreign(out, [part["fingerprint"] for part in parts], overwrite)
    records = [record for path in paths for record in read_records(path)]
    marks = mark_repeats(records, threshold)
    kept = [record for record, marked in zip(records, marks, strict=True) if not marked]
    if not kept:
        raise NothingAccepted(f"every row of {out} was dropped")
    write_rows(out, kept)
    rejects = "".join(rejects_path(path).read_text() for path in paths if rejects_path(path).exists())
    if rejects:
        write_whole(rejects_path(out), rejects)
    statistics = {**_added(parts, sum(marks)), **describe(kept), "sha256": sha256_of(out)}
    write_json(statistics_path(out), statistics)
    return JobResult(out, statistics)


def _finished_part(path: Path) -> dict[str, Any]:
    """The statistics of a part."""
    found = dict(read_json(statistics_path(path))) if statistics_path(path).exists() else {}
    if not path.exists() or found.get("sha256") != sha256_of(path):
        raise ValueError(f"{path} is missing, unfinished or was edited; run that shard again")
    return found


def _refuse_foreign(out: Path, fingerprints: list[str], overwrite: bool) -> None:
    """Keeps a file that was not joined from these parts."""
    known = read_json(statistics_path(out)) if statistics_path(out).exists() else {}
    if out.exists() and not overwrite and known.get("fingerprint") != fingerprints:
        raise ValueError(f"{out} exists and was made by another job; choose another --out, or pass --overwrite")


def _added(parts: Sequence[dict[str, Any]], repeats: int) -> dict[str, Any]:
    """The first part's settings with the sums of all counts."""
    sums = {
        name: _sum([part[name] for part in parts])
        for name in ("events", "rejected_attempts", "dropped_events", "tokens")
    }
    if repeats:
        sums["events"]["accepted"] -= repeats
        sums["events"]["dropped"] += repeats
        for name in ("rejected_attempts", "dropped_events"):
            sums[name][NEAR_DUPLICATE] = sums[name].get(NEAR_DUPLICATE, 0) + repeats
    marks = {"fingerprint": [part["fingerprint"] for part in parts], "shards": len(parts)}
    return {**parts[0], **sums, "cost": round(sum(part["cost"] for part in parts), 6), **marks}


def _sum(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    names = sorted({name for count in counts for name in count})
    return {name: sum(count.get(name, 0) for count in counts) for name in names}
