"""What happens between a typed command and its file? Data, engine, task, job, summary."""

import argparse
import logging
from typing import Any

from data_synthesis.config import CotConfig, EngineConfig
from data_synthesis.core.asking import JobConfig
from data_synthesis.cot import synthesize_chains
from data_synthesis.engines import Engine
from data_synthesis.engines.build import build_engine
from data_synthesis.filters import FilterOptions
from data_synthesis.forecast import view_of
from data_synthesis.job import JobResult, batches_path
from data_synthesis.options import settings
from data_synthesis.records import Record, count_words
from data_synthesis.sharding import ShardConfig, run_parts, shard_path
from data_synthesis.tasks.texts import TextConfig, TextTask
from genrec.data.dataset import Dataset
from genrec.data.load import load_dataset

logger = logging.getLogger(__name__)


def write(options: argparse.Namespace) -> int:
    """Runs a command that writes records, and logs the summary.

    Returns:
        Exit code 0.
    """
    job, filters = settings(options, JobConfig), settings(options, FilterOptions)
    asked = settings(options, EngineConfig)
    chains = options.command == "cot"
    offline = asked.engine == "offline" and chains
    shards = settings(options, ShardConfig)
    if shards.ray:
        _on_ray(options, shards)
    part = options.out if shards.shard < 0 else shard_path(options.out, shards.shard, shards.shards)
    engine = None if offline else build_engine(asked, job.timeout, batches_path(part))
    dataset = load_dataset(options.data)
    files: dict[str, Any] = {"overwrite": options.overwrite, "progress": not options.quiet, "shards": shards}
    if chains:
        cot = settings(options, CotConfig)
        result = synthesize_chains(dataset, cot, options.out, engine=engine, job=job, options=filters, **files)
    else:
        assert engine is not None
        config = settings(options, TextConfig)
        result = synthesize_texts(options.command, dataset, config, options.out, engine, job, filters, **files)
    for line in summary(result):
        logger.info("%s", line)
    return 0


def _on_ray(options: argparse.Namespace, shards: ShardConfig) -> None:
    """Finishes all parts on Ray's workers; what follows in this process only joins them."""
    from data_synthesis.ray_job import run_shards

    run_shards(options, shards.shards, shards.ray)


def synthesize_texts(
    command: str,
    dataset: Dataset,
    config: TextConfig,
    out: Any,
    engine: Engine,
    job: JobConfig | None = None,
    options: FilterOptions | None = None,
    *,
    shards: ShardConfig | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> JobResult:
    """Writes the texts of one of the commands items, users, preferences, rewrite and reasons.

    Args:
        command: Which one.
        dataset: The interactions; only the training part of the split is read.
        config: The settings.
        out: The file (see `job.run_job` for the files beside it).
        engine: Writes the texts.
        job: Limits and caps.
        options: What the texts have to be like.
        shards: Which parts of the job to run.
        overwrite: Replace a file or journal that other settings or data made.
        progress: Show a progress bar.

    Raises:
        ValueError: As `job.run_job`.
    """
    task = TextTask(command, view_of(dataset, config), config, options or FilterOptions(), engine)
    about = {"name": dataset.name, "users": dataset.num_users, "items": dataset.num_items}

    def describe(records: list[Record]) -> dict[str, Any]:
        return {"dataset": about, "rows": len(records), "mean_words": count_words(records)}

    files = {"overwrite": overwrite, "progress": progress}
    return run_parts(task, engine, out, job or JobConfig(), describe, shards or ShardConfig(), **files)


def summary(result: JobResult) -> list[str]:
    """The lines that a finished command logs: counts, reasons, tokens, money, speed."""
    statistics = result.statistics
    events, tokens = statistics["events"], statistics["tokens"]
    lines = [f"{result.path}: {events['accepted']:,} of {events['read']:,} rows accepted"]
    reasons = {**statistics["rejected_attempts"], **statistics["dropped_events"]}
    if reasons:
        lines.append(f"  {'reason':<24}{'answers':>10}{'rows dropped':>14}")
    for reason in sorted(reasons):
        answers = statistics["rejected_attempts"].get(reason, 0)
        lines.append(f"  {reason:<24}{answers:>10,}{statistics['dropped_events'].get(reason, 0):>14,}")
    if tokens["prompt"] or tokens["completion"]:
        lines.append(f"  {tokens['prompt']:,} prompt and {tokens['completion']:,} answer tokens")
        lines.append(f"  {statistics['cost']:.4f} spent, {result.retries:,} requests sent again")
    if result.seconds:
        kept = events["read"] - result.written
        rate = result.written / result.seconds
        lines.append(f"  {result.seconds:.1f} s, {rate:,.1f} rows/s, {kept:,} rows taken from the journal")
    return lines
