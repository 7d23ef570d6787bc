"""How does a file of chains come about? Choose events, write, check, journal, then write the file whole."""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_synthesis.attempts import Outcome, Writer, count_reasons
from data_synthesis.config import CotConfig
from data_synthesis.engines import ChainEngine
from data_synthesis.engines.offline import OfflineTeacher
from data_synthesis.examples import Example, choose_examples
from data_synthesis.facts import ItemFacts
from data_synthesis.job import fingerprint_of, finished, partial_path, publish
from data_synthesis.journal import Journal
from data_synthesis.statistics import describe_chains
from data_synthesis.wording.parts import Style
from genrec.data.dataset import Dataset
from genrec.data.split import Split, SplitKind
from genrec.run.provenance import git_revision, library_versions

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CotResult:
    """Where the chains are and how it went.

    Attributes:
        path: The file of chains.
        statistics: Content of the statistics file beside it.
        seconds: Wall time of this run's writing (0 when the file was there already).
        written: Events handled by this run; the others came from the journal.
    """

    path: Path
    statistics: dict[str, Any]
    seconds: float
    written: int


def synthesize_chains(
    dataset: Dataset,
    config: CotConfig,
    out: Path,
    *,
    split: Split | None = None,
    engine: ChainEngine | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> CotResult:
    """Writes the chains of a dataset's training part; a killed run continues to the same file.

    Args:
        dataset: The interactions; only the training part of the split is read.
        config: The settings.
        out: JSON-lines file of chains; `<out>.stats.json` comes beside it, `<out>.partial` while working.
        split: The split; `dataset.split(config.split)` by default.
        engine: Writes the texts; the offline teacher by default.
        overwrite: Replace a file or journal that other settings or data made.
        progress: Show a progress bar.

    Returns:
        The result; a file that the same job finished before is left as it is.

    Raises:
        ValueError: `out` belongs to another job, or no user has enough training events.
    """
    examples = _examples(dataset, config, split or dataset.split(config.split))
    facts = ItemFacts(dataset.catalogue)
    engine = engine or OfflineTeacher(facts, config.style, config.seed)
    fingerprint = fingerprint_of(facts, examples, config, engine.name)
    if (done := finished(out, fingerprint, overwrite)) is not None:
        return CotResult(out, done, 0.0, 0)
    begun = time.perf_counter()
    with Journal(partial_path(out), fingerprint, overwrite=overwrite) as journal:
        resumed = len(journal.rows)
        outcomes = _run(facts, engine, config, examples, journal, progress)
        statistics = _statistics(dataset, config, engine, facts, outcomes, fingerprint)
        publish(out, [outcome.chain for outcome in outcomes if outcome.chain], statistics)
        journal.remove()
    result = CotResult(out, statistics, time.perf_counter() - begun, len(examples) - resumed)
    _log(result, resumed)
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
    config = CotConfig(max_chains=count, per_user=4, style=style, split=split)
    teacher = OfflineTeacher(ItemFacts(dataset.catalogue), style, config.seed)
    chains = [teacher.write(example) for example in _examples(dataset, config, dataset.split(split))]
    return [" ".join((c.behaviour, c.preferences, c.intent, c.recommendation)) for c in chains]


def _examples(dataset: Dataset, config: CotConfig, split: Split) -> list[Example]:
    """The events to explain."""
    examples = choose_examples(
        split.train,
        dataset.user_ids,
        max_chains=config.max_chains or None,
        per_user=config.per_user,
        max_history=config.max_history,
        min_history=config.min_history,
        seed=config.seed,
    )
    if not examples:
        raise ValueError(f"{dataset.name}: no user has {config.min_history + 1} training events; lower --min_history")
    return examples


def _run(
    facts: ItemFacts,
    engine: ChainEngine,
    config: CotConfig,
    examples: Sequence[Example],
    journal: Journal,
    progress: bool,
) -> list[Outcome]:
    """Outcomes of all events: the journal's first, then new ones, each journalled as soon as it is there."""
    outcomes = [Outcome.from_row(row) for row in journal.rows]
    writer = Writer(facts, engine, config.attempts, [o.chain for o in outcomes if o.chain])
    bar = tqdm(total=len(examples), initial=len(outcomes), desc="chains", unit="chain", disable=not progress)
    with bar:
        for example in examples[len(outcomes) :]:
            outcome = writer.write(example)
            journal.append(outcome.to_row())
            outcomes.append(outcome)
            bar.update()
    return outcomes


def _statistics(
    dataset: Dataset,
    config: CotConfig,
    engine: ChainEngine,
    facts: ItemFacts,
    outcomes: Sequence[Outcome],
    fingerprint: str,
) -> dict[str, Any]:
    """What the statistics file says; the same for an interrupted and an uninterrupted run."""
    chains = [outcome.chain for outcome in outcomes if outcome.chain]
    counts = count_reasons(outcomes)
    if not chains:
        raise ValueError(f"{dataset.name}: every chain was dropped: {counts['dropped_events']}")
    return {
        "dataset": {"name": dataset.name, "users": dataset.num_users, "items": dataset.num_items},
        "teacher": engine.name,
        "config": asdict(config),
        "fingerprint": fingerprint,
        "provenance": {"revision": git_revision(), "versions": library_versions()},
        **counts,
        **describe_chains(facts, chains),
    }


def _log(result: CotResult, resumed: int) -> None:
    """Logs the summary, and a warning when the wording is too uniform."""
    events, share = result.statistics["events"], result.statistics["distinct_share"]
    rate = result.written / max(result.seconds, 1e-9)
    logger.info(
        "%s: %d chains, %d events dropped %s, %d taken from the journal, %.0f chains/s",
        result.path,
        events["accepted"],
        events["dropped"],
        result.statistics["dropped_events"] or "",
        resumed,
        rate,
    )
    if not share["passed"]:
        logger.warning(
            "only %.1f %% of %d chains differ after item names are masked (wanted: %.0f %%): "
            "the catalogue has few attributes, or there are few users",
            100 * share["of_sample"],
            share["sample"],
            100 * share["least"],
        )
