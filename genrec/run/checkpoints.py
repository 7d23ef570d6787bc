"""Which checkpoint can a killed run continue from?"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

_NAME = re.compile(r"^checkpoint-(\d+)$")


def is_complete(checkpoint: Path) -> bool:
    """True when the Trainer finished writing this checkpoint.

    The Trainer writes `trainer_state.json` last, so a kill in the middle leaves it absent or cut short.
    """
    try:
        return "global_step" in json.loads((checkpoint / "trainer_state.json").read_text())
    except (OSError, ValueError):
        return False


def last_complete_checkpoint(folder: Path) -> Path | None:
    """Newest complete `checkpoint-<step>` in a folder; half-written ones are removed.

    Args:
        folder: output folder of a stage.

    Returns:
        Path of the checkpoint, or None when there is none to resume from.
    """
    if not folder.is_dir():
        return None
    found = [(int(m.group(1)), path) for path in folder.iterdir() if (m := _NAME.match(path.name))]
    for _, path in sorted(found, reverse=True):
        if is_complete(path):
            return path
        # Written by a process that died: the Trainer would trip over it later. Every rank gets here at once, so one
        # may find that another has removed a file already.
        shutil.rmtree(path, ignore_errors=True)
    return None


def remove_checkpoints(folder: Path) -> None:
    """Delete all `checkpoint-*` of a finished stage."""
    for path in folder.glob("checkpoint-*"):
        if _NAME.match(path.name):
            shutil.rmtree(path)
