"""How is a stage of a run judged in one mode through one engine? The work of `gream_eval --mode`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.data.files import write_json
from genrec.run.processes import configure_logging
from genrec.run.provenance import provenance
from gream.evaluate.modes.asking import Ask, ask_recommender, ask_server
from gream.evaluate.modes.journal import read_journal, run_journal
from gream.evaluate.modes.shards import merged, process_of, share_of, share_path
from gream.evaluate.modes.summary import summarise
from gream.evaluate.modes.versus import as_table, versus
from gream.workspace import Workspace

if TYPE_CHECKING:
    from gream.settings import EvalArguments

logger = logging.getLogger(__name__)


def judge_modes(arguments: EvalArguments, stages: Sequence[str]) -> list[Path]:
    """Judge every wanted stage that has finished; returns the files."""
    if not stages:
        raise ValueError(f"none of the stages {arguments.stage_names} has finished in '{arguments.run_dir}'")
    configure_logging()  # ours speak, httpx with its line per request does not
    workspace = Workspace(Path(arguments.run_dir))
    return [path for stage in stages for path in judge_mode(arguments, workspace, stage).values()]


def judge_mode(arguments: EvalArguments, workspace: Workspace, stage: str) -> dict[str, Path]:
    """Judge one stage; a killed call continues where it was.

    Args:
        arguments: Settings of the eval stage, with `mode` and `engine`.
        workspace: The run.
        stage: E.g. "srpo".

    Returns:
        Paths of the journal and of the summary, and of the comparison where one was asked for.
    """
    targets = workspace.split.test.sample(
        arguments.max_users if arguments.max_users >= 0 else None, seed=arguments.seed
    )
    folder = workspace.root / "eval_modes"
    journal = folder / f"{stage}-{arguments.engine}-{arguments.mode}.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    settings, (rank, world) = _settings(arguments, workspace, stage), process_of()
    whole = journal.is_file() and len(read_journal(journal)[1]) == len(targets)
    if world == 1 or whole:
        with asker(arguments, workspace, stage) as ask:
            records = run_journal(journal, settings, targets, ask, arguments.batch_size, rank == 0)
    else:
        part = share_path(journal, rank, world)
        with asker(arguments, workspace, stage) as ask:
            run_journal(part, settings, share_of(targets, rank, world), ask, arguments.batch_size, rank == 0)
        records = merged(journal, settings, targets, world) if rank == 0 else []
    if rank > 0:
        return {"journal": journal}
    popularity = workspace.split.popularity(workspace.dataset.num_items)
    lengths = [len(history) for history in targets.histories]
    figures = summarise(records, workspace.dataset.num_items, lengths, popularity, arguments.price_per_hour)
    row = {"system": "GREAM", "stage": stage, "mode": arguments.mode, "engine": arguments.engine, **figures}
    files = {"journal": journal, "summary": journal.with_suffix(".json")}
    write_json(files["summary"], {"settings": settings, "provenance": provenance(), "rows": [row]})
    if arguments.compare:
        files["comparison"] = compare(journal, Path(arguments.compare))
    return files


def compare(a: Path, b: Path) -> Path:
    """Write the paired comparison of two journals beside the first one."""
    rows = versus(read_journal(a)[1], read_journal(b)[1])
    path = a.with_name(f"{a.stem}.versus.{b.stem}.json")
    write_json(path, {"a": a.name, "b": b.name, "rows": rows})
    logger.info("A = %s, B = %s\n%s", a.name, b.name, as_table(rows))
    return path


def _settings(arguments: EvalArguments, workspace: Workspace, stage: str) -> dict[str, Any]:
    """What decides the result of a journal."""
    names = ("engine", "mode", "max_users", "num_beams", "reasoning_samples", "temperature", "top_p",
             "max_new_tokens", "batch_size", "engine_beams", "seed")  # fmt: skip
    return {"stage": stage, "index_hash": workspace.codes.hash, **{name: getattr(arguments, name) for name in names}}


@contextmanager
def asker(arguments: EvalArguments, workspace: Workspace, stage: str) -> Iterator[Ask]:
    """How users are asked; an engine that was started ends with the block."""
    a, k = arguments, min(arguments.num_beams, len(workspace.codes))
    if a.engine == "server":
        yield ask_server(a.server, workspace.dataset.catalogue, a.mode, min(k, 100), a.reasoning_samples, a.workers)
        return
    from gream.recommend import GreamRecommender, SamplingConfig

    folder = workspace.model_folder(stage)
    recommender = GreamRecommender.from_pretrained(folder, index=workspace.codes)
    config = SamplingConfig(a.temperature, a.top_p, a.max_new_tokens, a.seed)
    engine = None
    if a.engine == "vllm":
        from genrec.decoding.engines.vllm import VllmEngine
        from gream.recommend.engine_runner import with_engine

        engine = VllmEngine.open(str(folder), recommender.runner.constraint, max_model_len=a.max_model_len)
        recommender = with_engine(recommender, engine, a.engine_beams)  # type: ignore[arg-type]
    try:
        yield ask_recommender(recommender, a.mode, k, a.reasoning_samples, config, a.num_beams)
    finally:
        if engine is not None:
            engine.close()
