"""What must survive a kill? The state of a fit, written whole and read back exactly."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from genrec.data.files import write_whole

STATE_FILE = "fit_state.pt"


@dataclass
class FitState:
    """Everything needed to go on.

    Attributes:
        step: optimizer steps taken.
        epoch_loss: summed loss of the current epoch so far.
        history: one dict per validation: epoch, step, loss, seconds and the validation metrics.
        best: the entry of `history` that was best, None before the first validation.
        stale: validations since the best one.
        seconds: training time so far, in seconds.
        finished: whether training ended (last epoch or patience).
        best_model: state dict of the best model.
        model: state dict of the current model.
        optimizer: state dict of the optimizer.
        fingerprint: options, settings of the model and data size; a state of another run is refused.
    """

    step: int = 0
    epoch_loss: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, float] | None = None
    stale: int = 0
    seconds: float = 0.0
    finished: bool = False
    best_model: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    fingerprint: dict[str, Any] = field(default_factory=dict)


def save_state(folder: Path, state: FitState) -> None:
    """Write the state atomically as `fit_state.pt`."""
    buffer = io.BytesIO()
    torch.save({name: getattr(state, name) for name in asdict(FitState())}, buffer)
    write_whole(folder / STATE_FILE, buffer.getvalue())


def load_state(folder: Path | None, fingerprint: dict[str, Any]) -> FitState | None:
    """Read the state of an interrupted run.

    Args:
        folder: where it was written; None means that nothing is kept.
        fingerprint: options, settings of the model and data size of this run.

    Returns:
        The state, or None when there is none.

    Raises:
        ValueError: the state belongs to a run with other options or data.
    """
    if folder is None or not (folder / STATE_FILE).exists():
        return None
    state = FitState(**torch.load(folder / STATE_FILE, map_location="cpu", weights_only=True))
    before, here = _flat(state.fingerprint), _flat(fingerprint)
    differing = [key for key in here | before if before.get(key) != here.get(key)]
    if differing:
        was = {key: before.get(key) for key in differing}
        now = {key: here.get(key) for key in differing}
        raise ValueError(f"{folder / STATE_FILE} was written with {was}, this run has {now}; use another folder")
    return state


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as JSON keeps them: a tuple becomes a list, a path its text."""
    found: dict[str, Any] = json.loads(json.dumps(dict(settings), default=str))
    return found


def _flat(fingerprint: dict[str, Any]) -> dict[str, Any]:
    """A fingerprint with its settings beside the rest, so that an error names only what differs."""
    rest = {key: value for key, value in fingerprint.items() if key != "settings"}
    return {**rest, **fingerprint.get("settings", {})}


def copied(state_dict: dict[str, Any]) -> dict[str, Any]:
    """State dict whose tensors are copies on the CPU."""
    return {name: value.detach().cpu().clone() for name, value in state_dict.items()}
