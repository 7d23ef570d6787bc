"""How does a stage start, resume and end?

A stage owns the folder `<run_dir>/<stage>`. While it runs it holds a lock there; `stage.json` says what the stage
was asked to do (`fingerprint`), whether it finished, how long it took and where it ran.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genrec.run.arguments import StageArguments, settings_of
from genrec.run.checkpoints import last_complete_checkpoint
from genrec.run.lock import stage_lock
from genrec.run.processes import check_processes, configure_logging, is_main_process, leave_processes, wait_for_everyone
from genrec.run.state import fingerprint_of, read_state, write_state

logger = logging.getLogger(__name__)

# Changing these does not change what the stage computes, so they do not force it to start anew.
VOLATILE = {
    "chains",  # files: their content counts, through `content`
    "descriptions",
    "if_done",
    "estimate",
    "report_to",
    "output_dir",
    "logging_dir",
    "run_name",
    "disable_tqdm",
    "run_dir",
}


@dataclass
class Session:
    """A running stage.

    Attributes:
        folder: `<run_dir>/<stage>`.
        skip: True when there is nothing to do (finished with the same settings and `if_done="skip"`).
        resume_from: checkpoint to continue from, or None.
        is_main: True on the process that writes files.
        facts: what `stage.json` will carry besides provenance; the recipe adds to it.
    """

    stage: str
    folder: Path
    skip: bool
    resume_from: Path | None
    is_main: bool
    facts: dict[str, Any] = field(default_factory=dict)
    began: float = field(default_factory=time.time)

    def seconds(self) -> float:
        """Wall time of this stage so far, with that of attempts that were killed."""
        return round(float(read_state(self.folder).get("seconds", 0.0)) + time.time() - self.began, 1)


def fingerprint(stage: str, settings: dict[str, Any], upstream: Sequence[str]) -> str:
    """Hash of what a stage will compute: its settings, and the hashes of the stages and files it builds on."""
    kept = {k: v for k, v in settings.items() if k not in VOLATILE}
    text = json.dumps([stage, kept, list(upstream)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def stage_session(
    stage: str, arguments: StageArguments, *configs: Any, after: Sequence[str] = (), content: str = ""
) -> Iterator[Session]:
    """Open a stage's folder, hold its lock, and write `stage.json` when the body ends without an error.

    Args:
        stage: name of the subfolder, e.g. 'align'.
        arguments: the stage's own settings.
        configs: further dataclasses whose fields belong to the settings (e.g. the SFTConfig).
        after: stages that must have finished in the same run folder.
        content: hash of the files that the stage reads; another one makes an earlier result out of date.

    Yields:
        The session. When `session.skip` is True the caller returns at once.

    Raises:
        ValueError: when a predecessor is missing, or the stage was begun by another number of processes.
        RuntimeError: when another process works in this folder, or the processes are isolated.
    """
    configure_logging()
    world, is_main = check_processes(), is_main_process()
    run_dir, settings = Path(arguments.run_dir), settings_of(arguments, *configs)
    upstream = [fingerprint_of(run_dir, name, stage) for name in dict.fromkeys(after)]
    mark = fingerprint(stage, settings, [*upstream, content] if content else upstream)
    folder = run_dir / stage
    with stage_lock(run_dir, stage, is_main):
        session = _open(stage, folder, arguments, mark, is_main, world)
        if session.skip or arguments.estimate:
            yield session
            leave_processes(world)
            return
        known = {"stage": stage, "fingerprint": mark, "processes": world, "settings": settings, "facts": session.facts}
        started, before = time.time(), 0.0
        if is_main:
            before = float(read_state(folder).get("seconds", 0.0))  # of attempts that were killed
            write_state(folder, finished=False, seconds=before, **known)
        yield session
        if is_main:
            write_state(folder, finished=True, seconds=before + time.time() - started, **known)
        leave_processes(world)


def _open(stage: str, folder: Path, arguments: StageArguments, mark: str, is_main: bool, world: int) -> Session:
    """Decide between skip, resume and a fresh start."""
    state = read_state(folder)
    same, finished = state.get("fingerprint") == mark, bool(state.get("finished"))
    if same and finished and arguments.if_done == "skip":
        logger.info("%s: already done in %s; nothing to do", stage, folder)
        return Session(stage, folder, True, None, is_main)
    if arguments.estimate:
        return Session(stage, folder, False, None, is_main)
    goes_on = same and not finished
    if goes_on:
        _check_world(folder, int(state.get("processes", world)), world)
    resume = last_complete_checkpoint(folder) if goes_on else None
    wait_for_everyone(world)
    if is_main and state and not goes_on:
        _set_aside(folder, finished)
    folder.mkdir(parents=True, exist_ok=True)
    if resume:
        logger.info("%s: continuing from %s", stage, resume)
    return Session(stage, folder, False, resume, is_main)


def _check_world(folder: Path, before: int, now: int) -> None:
    """Refuse to go on with another number of processes: batches and random numbers depend on it."""
    if before != now:
        raise ValueError(
            f"'{folder}' was begun with {before} process(es) and has not finished; this command has {now}. "
            f"Go on with --num_processes {before}, or remove the folder to begin anew with {now}."
        )


def _set_aside(folder: Path, finished: bool) -> None:
    """Keep a former result as <stage>.previous, an unfinished attempt as <stage>.aborted; each replaces its like."""
    kept = folder.with_name(f"{folder.name}.{'previous' if finished else 'aborted'}")
    if kept.exists():
        shutil.rmtree(kept)
    folder.rename(kept)
    logger.info("the former %s is kept in %s", "result" if finished else "attempt", kept)
