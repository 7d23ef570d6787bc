"""Which steps do arms have in common? One that an earlier arm has finished is linked into this arm's run.

A step computes the same when it and all steps before it have the same recipes, configs and settings; the last step of
an arm always runs, because it writes the arm's metrics.json.
"""

from __future__ import annotations

import os
from pathlib import Path

from genrec.run.state import finished_stages
from genrec.run.table import TableSpec


def share_step(spec: TableSpec, arm: str, seed: int, number: int) -> Path | None:
    """Link the stage folder of a step that an earlier arm has finished.

    Args:
        spec: the table.
        arm: whose step it is.
        seed: of the run.
        number: of the step in the arm.

    Returns:
        The folder that was linked, or None where the step has to run; a link of a former table is then gone.
    """
    stage = spec.arms[arm][number].recipe.partition("_")[2]
    own = spec.run_dir(arm, seed) / stage
    if own.is_symlink():
        own.unlink()
    twin = _twin(spec, arm, number)
    if twin is None or own.exists() or not finished_stages(spec.run_dir(twin, seed), [stage]):
        return None
    made = spec.run_dir(twin, seed) / stage
    own.parent.mkdir(parents=True, exist_ok=True)
    own.symlink_to(os.path.relpath(made, own.parent), target_is_directory=True)
    return made


def _twin(spec: TableSpec, arm: str, number: int) -> str | None:
    """The first earlier arm whose steps are the same up to a step, or None."""
    steps = spec.arms[arm]
    if not spec.share or number == len(steps) - 1:
        return None
    for other, theirs in spec.arms.items():
        if other == arm:
            return None
        if len(theirs) > number + 1 and theirs[: number + 1] == steps[: number + 1]:
            return other
    return None
