"""What happens between a typed command and its file? Data, engine, task, job, summary."""

import argparse
import logging
from collections.abc import Mapping
from typing import Any

from data_synthesis.config import CotConfig, EngineConfig
from data_synthesis.core.asking import JobConfig
from data_synthesis.cot import synthesize_chains
from data_synthesis.engines import Engine, Prompt, Usage
from data_synthesis.engines.build import build_engine
from data_synthesis.filters import FilterOptions
from data_synthesis.job import JobResult, batches_path
from data_synthesis.options import settings
from data_synthesis.prompts.door import TrainingView, read_profiles
from data_synthesis.records import Record, count_words
from data_synthesis.sharding import ShardConfig, run_parts, shard_path
from data_synthesis.tasks.cot import CotTask
from data_synthesis.tasks.texts import TextConfig, TextTask
from genrec.data.dataset import Dataset
from genrec.data.load import load_dataset

logger = logging.getLogger(__name__)
SECONDS_PER_ANSWER = 2.0  # what `estimate` assumes for one answer of a hosted model
WORDS_PER_TEXT, TOKENS_PER_WORD = 60, 1.4


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
    task = TextTask(command, _view(dataset, config), config, options or FilterOptions(), engine)
    about = {"name": dataset.name, "users": dataset.num_users, "items": dataset.num_items}

    def describe(records: list[Record]) -> dict[str, Any]:
        return {"dataset": about, "rows": len(records), "mean_words": count_words(records)}

    files = {"overwrite": overwrite, "progress": progress}
    return run_parts(task, engine, out, job or JobConfig(), describe, shards or ShardConfig(), **files)


def estimate(options: argparse.Namespace) -> int:
    """Prints requests, tokens, time and money of a command; nothing is asked.

    Returns:
        Exit code 0.
    """
    job, filters = settings(options, JobConfig), settings(options, FilterOptions)
    asked = settings(options, EngineConfig)
    dataset = load_dataset(options.data)
    writer = _Unasked(asked)
    if options.what == "cot":
        cot = settings(options, CotConfig)
        prompts = CotTask(TrainingView(dataset, kind=cot.split), cot, filters, writer).prompts()
    else:
        config = settings(options, TextConfig)
        prompts = TextTask(options.what, _view(dataset, config), config, filters, writer).prompts()
    for name, value in forecast(prompts, job, asked.max_output_tokens).items():
        print(f"{name:<28}{value}")
    return 0


def forecast(prompts: list[Prompt], job: JobConfig, most_tokens: int) -> dict[str, str]:
    """What the questions will cost if every first answer is accepted.

    Args:
        prompts: All questions.
        job: Limits and prices.
        most_tokens: Longest answer.

    Returns:
        Readable values by name. Prompt tokens are an upper estimate (a third of the bytes), answers are assumed
        to have 60 words per text.
    """
    read = sum(prompt.estimated_tokens for prompt in prompts)
    texts = len(prompts[0].schema["properties"]) if prompts else 0
    each = min(most_tokens, round(texts * WORDS_PER_TEXT * TOKENS_PER_WORD))
    usage, worst = Usage(read, each * len(prompts)), Usage(read, most_tokens * len(prompts))
    waits = [len(prompts) * SECONDS_PER_ANSWER / job.concurrency / 60]
    waits += [len(prompts) / job.requests_per_minute] if job.requests_per_minute else []
    waits += [worst.total / job.tokens_per_minute] if job.tokens_per_minute else []
    return {
        "requests": f"{len(prompts):,}",
        "prompt tokens, at most": f"{usage.prompt:,}",
        "answer tokens, about": f"{usage.completion:,}",
        "answer tokens, at most": f"{worst.completion:,}",
        "money, about": f"{job.prices.of(usage):.2f}" if job.price_in or job.price_out else "set price_in, price_out",
        "money, at most per attempt": f"{job.prices.of(worst):.2f}",
        "minutes, about": f"{max(waits):.1f} (limits, or {SECONDS_PER_ANSWER:.0f} s per answer)",
    }


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


def _view(dataset: Dataset, config: TextConfig) -> TrainingView:
    """The door to what prompts may know."""
    return TrainingView(dataset, kind=config.split, profiles=read_profiles(config.profiles or None))


class _Unasked:
    """Stands for an engine where prompts are only counted."""

    reads_words = True
    remote = False
    at_once = 0

    def __init__(self, config: EngineConfig) -> None:
        self.name, self.max_output_tokens = config.model, config.max_output_tokens
        self.settings: Mapping[str, Any] = {}

    async def complete(self, prompt: Prompt) -> Any:
        """An estimate asks nothing."""
        raise AssertionError("an estimate asks nothing")

    async def close(self) -> None:
        """Nothing to release."""
