"""How does a stage start, resume and end?

A stage owns the folder `<run_dir>/<stage>`. While it runs it holds a lock there; `stage.json` says what the stage
was asked to do (`fingerprint`), whether it finished, how long it took and where it ran.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from genrec.data.files import read_json, write_json
from genrec.run.arguments import StageArguments, settings_of
from genrec.run.checkpoints import last_complete_checkpoint
from genrec.run.provenance import provenance

logger = logging.getLogger(__name__)

# Changing these does not change what the stage computes, so they do not force it to start anew.
VOLATILE = {
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


def check_processes() -> int:
    """Number of processes, after making sure that they see each other.

    Returns:
        The world size.

    Raises:
        RuntimeError: when the launcher started several processes that run isolated from each other, each believing
            to be alone (accelerate's MULTI_GPU + use_cpu YAML without ACCELERATE_USE_CPU does that).
    """
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if launched == 1:
        return 1
    from accelerate import PartialState

    seen = PartialState().num_processes
    if seen != launched:
        raise RuntimeError(
            f"the launcher started {launched} processes but they do not see each other ({seen} in the group). "
            "On CPU set ACCELERATE_USE_CPU=true beside --config_file accelerate_configs/cpu_2proc.yaml."
        )
    return seen


def fingerprint(stage: str, settings: dict[str, Any], upstream: Sequence[str]) -> str:
    """Hash of what a stage will compute: its settings and the fingerprints of the stages it builds on."""
    kept = {k: v for k, v in settings.items() if k not in VOLATILE}
    text = json.dumps([stage, kept, list(upstream)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def stage_session(stage: str, arguments: StageArguments, *configs: Any, after: Sequence[str] = ()) -> Iterator[Session]:
    """Open a stage's folder, hold its lock, and write `stage.json` when the body ends without an error.

    Args:
        stage: name of the subfolder, e.g. 'align'.
        arguments: the stage's own settings.
        configs: further dataclasses whose fields belong to the settings (e.g. the SFTConfig).
        after: stages that must have finished in the same run folder.

    Yields:
        The session. When `session.skip` is True the caller returns at once.

    Raises:
        ValueError: when a predecessor is missing.
        RuntimeError: when another process works in this folder, or the processes are isolated.
    """
    _configure_logging()
    world = check_processes()
    is_main = int(os.environ.get("RANK", "0")) == 0
    run_dir = Path(arguments.run_dir)
    upstream = [_finished(run_dir, name, stage) for name in after]
    mark = fingerprint(stage, settings_of(arguments, *configs), upstream)
    folder = run_dir / stage
    with _lock(run_dir, stage, is_main):
        session = _open(stage, folder, arguments, mark, is_main, world)
        if session.skip or arguments.estimate:
            yield session
            return
        started, before = time.time(), _elapsed(folder)
        if is_main:
            _write_state(session, mark, settings_of(arguments, *configs), finished=False, seconds=before)
        yield session
        if is_main:
            seconds = before + time.time() - started
            _write_state(session, mark, settings_of(arguments, *configs), finished=True, seconds=seconds)


def _open(stage: str, folder: Path, arguments: StageArguments, mark: str, is_main: bool, world: int) -> Session:
    """Decide between skip, resume and a fresh start."""
    state = _state(folder)
    same = state.get("fingerprint") == mark
    if same and state.get("finished") and arguments.if_done == "skip":
        logger.info("%s: already done in %s; nothing to do", stage, folder)
        return Session(stage, folder, True, None, is_main)
    if arguments.estimate:
        return Session(stage, folder, False, None, is_main)
    resume = None if state.get("finished") or not same else last_complete_checkpoint(folder)
    if world > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()
    if is_main and state and (state.get("finished") or not same):
        _set_aside(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if resume:
        logger.info("%s: continuing from %s", stage, resume)
    return Session(stage, folder, False, resume, is_main)


def _set_aside(folder: Path) -> None:
    """Keep the former result as <stage>.previous."""
    previous = folder.with_name(folder.name + ".previous")
    if previous.exists():
        shutil.rmtree(previous)
    folder.rename(previous)
    logger.info("the former result is kept in %s", previous)


def _finished(run_dir: Path, name: str, wanted_by: str) -> str:
    """Fingerprint of a finished predecessor."""
    state = _state(run_dir / name)
    if not state.get("finished"):
        raise ValueError(
            f"stage '{wanted_by}' builds on '{name}', which has not finished in '{run_dir}'. "
            f"Run: accelerate launch recipes/gream_{name}.py --run_dir {run_dir}"
        )
    return str(state["fingerprint"])


def finished_stages(run_dir: str | Path, names: Sequence[str]) -> list[str]:
    """Those of the named stages that have finished in a run folder, in the given order."""
    return [name for name in names if _state(Path(run_dir) / name).get("finished")]


def _state(folder: Path) -> dict[str, Any]:
    """Content of stage.json, or {} when there is none."""
    path = folder / "stage.json"
    return dict(read_json(path)) if path.is_file() else {}


def _elapsed(folder: Path) -> float:
    """Seconds that earlier, killed attempts of this stage took up to their last checkpoint."""
    return float(_state(folder).get("seconds", 0.0))


def _write_state(session: Session, mark: str, settings: dict[str, Any], *, finished: bool, seconds: float) -> None:
    """Write stage.json whole."""
    write_json(
        session.folder / "stage.json",
        {
            "stage": session.stage,
            "fingerprint": mark,
            "finished": finished,
            "seconds": round(seconds, 1),
            "settings": settings,
            "facts": session.facts,
            "provenance": provenance(),
        },
    )


@contextmanager
def _lock(run_dir: Path, stage: str, is_main: bool) -> Iterator[None]:
    """Hold an exclusive lock that the system releases even after kill -9."""
    if not is_main:
        yield
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    with open(run_dir / f".{stage}.lock", "w") as handle:
        _acquire(handle, run_dir / stage)
        yield


def _acquire(handle: IO[str], folder: Path) -> None:
    """Take the lock or say who holds it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise RuntimeError(
            f"another process is working in '{folder}': wait for it, or use another --run_dir."
        ) from None


def _configure_logging() -> None:
    """Log counts once, on the main process; workers only warn."""
    level = logging.INFO if int(os.environ.get("RANK", "0")) == 0 else logging.WARNING
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S")
    for name in ("genrec", "gream", "data_synthesis"):
        logging.getLogger(name).setLevel(level)
