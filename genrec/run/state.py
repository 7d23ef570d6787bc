"""What does stage.json say about a stage, and what if an earlier stage has none?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genrec.data.files import read_json, write_json
from genrec.run.provenance import program, provenance


def read_state(folder: Path) -> dict[str, Any]:
    """Content of a stage's stage.json, or {} when there is none."""
    try:
        return dict(read_json(folder / "stage.json"))
    except FileNotFoundError:  # asking first would not help: the main process may move the folder in between
        return {}


def write_state(folder: Path, *, finished: bool, seconds: float, **content: Any) -> None:
    """Write stage.json whole.

    Args:
        folder: the stage's folder.
        finished: True when the stage has done all it was asked to.
        seconds: wall time of all attempts so far.
        content: stage, fingerprint, processes, settings and facts.
    """
    state = {**content, "finished": finished, "seconds": round(seconds, 1), "provenance": provenance()}
    write_json(folder / "stage.json", state)


def finished_stages(run_dir: str | Path, names: Sequence[str]) -> list[str]:
    """Those of the named stages that have finished in a run folder, in the given order."""
    return [name for name in names if read_state(Path(run_dir) / name).get("finished")]


def fingerprint_of(run_dir: Path, name: str, wanted_by: str) -> str:
    """Fingerprint of a finished stage.

    Args:
        run_dir: the run folder.
        name: the stage.
        wanted_by: the stage that builds on it.

    Raises:
        ValueError: when the stage has not finished; says which command finishes it.
    """
    state = read_state(run_dir / name)
    if not state.get("finished"):
        raise ValueError(
            f"stage '{wanted_by}' builds on '{name}', which has not finished in '{run_dir}'. "
            f"{_remedy(name, wanted_by, run_dir)}"
        )
    return str(state["fingerprint"])


def _remedy(name: str, wanted_by: str, run_dir: Path) -> str:
    """The command that is running, with the earlier stage in place of this one."""
    script = Path(program())
    if not script.stem.endswith(f"_{wanted_by}"):
        return f"Run the stage '{name}' with this run folder first."
    script = script.with_name(script.stem.removesuffix(wanted_by) + name + script.suffix)
    words = [part for word in sys.argv[1:] for part in (word.split("=", 1) if word.startswith("--config=") else [word])]
    config = Path(words[words.index("--config") + 1]).with_stem(name) if "--config" in words[:-1] else None
    flag = f" --config {config}" if config is not None and config.is_file() else ""
    return f"Run: accelerate launch {script}{flag} --run_dir {run_dir}"
