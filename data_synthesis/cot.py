"""How does a file of chains come about? The command `cot`, for the command line and for recipes."""

import logging
from pathlib import Path
from typing import Any

from data_synthesis.config import CotConfig
from data_synthesis.core.asking import JobConfig
from data_synthesis.engines import Engine
from data_synthesis.engines.offline import OfflineTeacher
from data_synthesis.filters import FilterOptions
from data_synthesis.job import JobResult
from data_synthesis.prompts.door import TrainingView
from data_synthesis.sharding import ShardConfig, run_parts
from data_synthesis.statistics import describe_chains
from data_synthesis.tasks.cot import CotTask
from data_synthesis.wording.parts import Style
from genrec.data.dataset import Dataset
from genrec.data.split import Split, SplitKind

logger = logging.getLogger(__name__)


def synthesize_chains(
    dataset: Dataset,
    config: CotConfig,
    out: Path,
    *,
    split: Split | None = None,
    engine: Engine | None = None,
    job: JobConfig | None = None,
    options: FilterOptions | None = None,
    shards: ShardConfig | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> JobResult:
    """Writes the chains of a dataset's training part; a killed run continues to the same file.

    Args:
        dataset: The interactions; only the training part of the split is read.
        config: The settings.
        out: The file of chains (see `job.run_job` for the files beside it).
        split: The split; `dataset.split(config.split)` by default.
        engine: Writes the texts; the offline teacher by default.
        job: Limits and caps.
        options: What the texts have to be like.
        shards: Which parts of the job to run.
        overwrite: Replace a file or journal that other settings or data made.
        progress: Show a progress bar.

    Returns:
        The result; a file that the same job finished before is left as it is.

    Raises:
        ValueError: `out` belongs to another job, no user has enough training events, or every chain was dropped.
    """
    view = TrainingView(dataset, split, config.split)
    engine = engine or OfflineTeacher(view.facts, config.style, config.seed)
    task = CotTask(view, config, options or FilterOptions(), engine)
    about = {"name": dataset.name, "users": dataset.num_users, "items": dataset.num_items}

    def describe(chains: list[Any]) -> dict[str, Any]:
        return {"dataset": about, **describe_chains(view.facts, chains)}

    files = {"overwrite": overwrite, "progress": progress}
    result = run_parts(task, engine, out, job or JobConfig(), describe, shards or ShardConfig(), **files)
    if result.written and "distinct_share" in result.statistics:
        _warn_of_uniform_wording(result)
    return result


def sample_texts(dataset: Dataset, style: Style, split: SplitKind = "leave_one_out", count: int = 2000) -> list[str]:
    """Texts of a few chains, for training a compact tokenizer on their words.

    Args:
        dataset: The interactions; only the training part is read.
        style: Wording of the chains.
        split: The split that the recommender is judged by.
        count: Most chains.

    Returns:
        The texts of stages 1 to 4 of each chain, joined; nothing is checked or stored.
    """
    view = TrainingView(dataset, kind=split)
    config = CotConfig(max_chains=count, per_user=4, style=style, split=split)
    teacher = OfflineTeacher(view.facts, style, config.seed)
    examples = CotTask(view, config, FilterOptions(), teacher).examples()
    chains = [teacher.write(example) for example in examples]
    return [" ".join((c.behaviour, c.preferences, c.intent, c.recommendation)) for c in chains]


def _warn_of_uniform_wording(result: JobResult) -> None:
    """Logs a warning when too many chains are the same once item names are masked."""
    share = result.statistics["distinct_share"]
    if not share["passed"]:
        logger.warning(
            "only %.1f %% of %d chains differ after item names are masked (wanted: %.0f %%): "
            "the catalogue has few attributes, or there are few users",
            100 * share["of_sample"],
            share["sample"],
            100 * share["least"],
        )
