"""How does a file come about? Ask, check, journal, then write everything whole: one way for every command."""

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from data_synthesis.core.asking import JobConfig
from data_synthesis.core.meter import Meter
from data_synthesis.core.runner import NEAR_DUPLICATE, Outcome, Run, Work
from data_synthesis.engines import Engine, Prompt, Usage
from data_synthesis.facts import ItemFacts
from data_synthesis.filters import FilterOptions, mark_repeats
from data_synthesis.journal import Journal
from data_synthesis.records import Record
from data_synthesis.statistics import count_reasons
from genrec.data.files import read_json, sha256_of, write_json, write_whole
from genrec.data.texts import write_rows
from genrec.run.provenance import git_revision, library_versions

RULES = 2  # raise it whenever the same settings give other texts, so that no journal mixes two versions
logger = logging.getLogger(__name__)


class NothingAccepted(ValueError):
    """Every row was rejected, so there is nothing to write."""


class Task(Work[Any], Protocol):
    """What a command writes (see `core.runner.Work`), with what its files have to say about it.

    Attributes:
        command: Name of the command.
        config: Its settings, a dataclass.
        options: Filter settings.
        facts: What the catalogue knows.
    """

    command: str
    config: Any
    options: FilterOptions

    @property
    def facts(self) -> ItemFacts:
        """What the catalogue knows."""


@dataclass(frozen=True)
class JobResult:
    """Where the file is and how it went.

    Attributes:
        path: The file of accepted records.
        statistics: Content of the statistics file beside it.
        seconds: Wall time of this run's writing (0 when the file was there already).
        written: Questions settled by this run; the others came from the journal.
        retries: Requests that were sent again.
    """

    path: Path
    statistics: dict[str, Any]
    seconds: float = 0.0
    written: int = 0
    retries: int = 0


def partial_path(out: Path) -> Path:
    """The journal of an unfinished job."""
    return out.with_name(out.name + ".partial")


def statistics_path(out: Path) -> Path:
    """The statistics file of a finished job."""
    return out.with_name(out.name + ".stats.json")


def rejects_path(out: Path) -> Path:
    """The rejected answers of a finished job, with their reasons."""
    return out.with_name(out.name + ".rejects.jsonl")


def batches_path(out: Path) -> Path:
    """What an unfinished job has submitted to a Batch API."""
    return out.with_name(out.name + ".batches.json")


def run_job(
    task: Task,
    engine: Engine,
    out: Path,
    job: JobConfig,
    describe: Callable[[list[Record]], dict[str, Any]],
    *,
    overwrite: bool = False,
    progress: bool = True,
    allow_empty: bool = False,
) -> JobResult:
    """Writes a file of records; a killed run continues to the same file and pays no answer twice.

    Args:
        task: What to write.
        engine: Who writes.
        out: The file; `.stats.json` and `.rejects.jsonl` come beside it, `.partial` while working.
        job: Limits and caps; how often to retry.
        describe: Further statistics of the accepted records.
        overwrite: Replace a file or journal that other settings or data made.
        progress: Show a progress bar.
        allow_empty: Write an empty file when every row was rejected: the job is a part of a larger one.

    Returns:
        The result; a file that the same job finished before is left as it is.

    Raises:
        ValueError: `out` belongs to another job.
        NothingAccepted: Every row was rejected.
        Unavailable, CapReached, EngineError: The job stopped; the same command continues it.
    """
    prompts = list(task.prompts())
    words_hash = prompt_hash(prompts) if engine.reads_words else ""
    fingerprint = fingerprint_of(task, engine, prompts, words_hash)
    if (done := finished(out, fingerprint, overwrite)) is not None:
        return JobResult(out, done)
    begun = time.perf_counter()
    meter = Meter(progress, task.command)
    with Journal(partial_path(out), fingerprint, overwrite=overwrite) as journal:
        run = Run(task, engine, job, journal, meter)
        outcomes = _without_repeats(asyncio.run(_settle(run)), engine, task.options)
        _write_rejects(out, outcomes, journal)
        accepted = _accepted(outcomes)
        statistics = {
            **_statistics(task, engine, outcomes, fingerprint, words_hash, allow_empty),
            **_spent(run.spent, job),
            **(describe(accepted) if accepted else {}),
        }
        write_rows(out, accepted)
        write_json(statistics_path(out), {**statistics, "sha256": sha256_of(out)})  # last: it says "finished"
        journal.remove()
        batches_path(out).unlink(missing_ok=True)
    return JobResult(out, statistics, time.perf_counter() - begun, len(prompts) - meter.resumed, meter.retries)


async def _settle(run: Run[Any]) -> list[Outcome[Any]]:
    """All outcomes; the bar and the engine are closed whatever happens."""
    try:
        return await run.outcomes()
    finally:
        run.meter.close()
        await run.engine.close()


def _without_repeats(outcomes: list[Outcome[Any]], engine: Engine, options: FilterOptions) -> list[Outcome[Any]]:
    """Drops records that nearly repeat an earlier one; sentences of rules are templates and stay."""
    kept = [outcome for outcome in outcomes if outcome.record is not None]
    threshold = options.near_duplicates if engine.reads_words else 0.0
    marks = mark_repeats(_accepted(kept), threshold)
    repeats = {outcome.key for outcome, marked in zip(kept, marks, strict=True) if marked}
    return [
        replace(o, record=None, rejected=(*o.rejected, NEAR_DUPLICATE)) if o.key in repeats else o for o in outcomes
    ]


def _accepted(outcomes: Sequence[Outcome[Any]]) -> list[Record]:
    records = (outcome.record for outcome in outcomes)
    return [record for record in records if record is not None]


def _statistics(
    task: Task, engine: Engine, outcomes: Sequence[Outcome[Any]], fingerprint: str, words_hash: str, allow_empty: bool
) -> dict[str, Any]:
    """What every statistics file says; the same for an interrupted and an uninterrupted run."""
    counts = count_reasons(outcomes)
    if not counts["events"]["accepted"] and not allow_empty:
        what = "chain" if task.command == "cot" else "row"
        raise NothingAccepted(f"every {what} was dropped: {counts['dropped_events']}")
    return {
        "command": task.command,
        "teacher": engine.name,
        "engine": dict(engine.settings),
        "config": asdict(task.config),
        "filters": asdict(task.options),
        "prompts_sha256": words_hash,
        "fingerprint": fingerprint,
        "provenance": {"revision": git_revision(), "versions": library_versions()},
        **counts,
    }


def _spent(usage: Usage, job: JobConfig) -> dict[str, Any]:
    """Tokens and money of the whole job."""
    tokens = {"prompt": usage.prompt, "completion": usage.completion}
    return {"tokens": tokens, "cost": round(job.prices.of(usage), 6)}


def _write_rejects(out: Path, outcomes: Sequence[Outcome[Any]], journal: Journal) -> None:
    """Writes every rejected answer with its reason, also where nothing was accepted."""
    repeats = {outcome.key for outcome in outcomes if outcome.rejected and outcome.rejected[-1] == NEAR_DUPLICATE}
    rejects = [row for row in journal.rows if row["reason"]]
    rejects += [
        {**row, "reason": NEAR_DUPLICATE} for row in journal.rows if row["key"] in repeats and not row["reason"]
    ]
    if rejects:
        write_whole(rejects_path(out), "".join(json.dumps(row) + "\n" for row in rejects))
    else:
        rejects_path(out).unlink(missing_ok=True)


def finished(out: Path, fingerprint: str, overwrite: bool) -> dict[str, Any] | None:
    """The statistics of an equal finished job, or None when there is work to do."""
    if not out.exists() or partial_path(out).exists():
        return None
    known = read_json(statistics_path(out)) if statistics_path(out).exists() else {}
    if known.get("fingerprint") == fingerprint and known.get("sha256") == sha256_of(out):
        logger.info("%s is complete already (%d rows)", out, known["events"]["accepted"])
        return dict(known)
    if overwrite:
        return None
    raise ValueError(
        f"{out} exists and was made with other settings or other data (or was edited); "
        "choose another --out, or pass --overwrite to replace it"
    )


def prompt_hash(prompts: Sequence[Prompt]) -> str:
    """Hash of the words of all questions."""
    digest = hashlib.sha256()
    for prompt in prompts:
        digest.update(json.dumps([prompt.key, prompt.messages, prompt.schema], sort_keys=True).encode())
        for step in prompt.steps:
            digest.update(json.dumps([step.field, step.messages, step.begin, step.most]).encode())
    return digest.hexdigest()


def fingerprint_of(task: Task, engine: Engine, prompts: Sequence[Prompt], words_hash: str) -> str:
    """Hash of everything the records depend on."""
    settings = [asdict(task.config), asdict(task.options), dict(engine.settings)]
    head = [RULES, task.command, engine.name, words_hash, *settings]
    digest = hashlib.sha256(json.dumps(head, sort_keys=True).encode())
    facts = task.facts
    for item_id, title, found in zip(facts.item_ids, facts.names.titles, facts.attributes, strict=True):
        digest.update(repr((item_id, title, [(a.kind, a.value) for a in found.values()])).encode())
    for prompt in prompts:
        digest.update(repr((prompt.key, prompt.subject)).encode())
    return digest.hexdigest()
