"""What does a training run leave behind while it runs? A history file and its speed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from genrec.data.files import read_jsonl, write_whole
from genrec.metrics.memory import peak_memory_gib


class JsonlHistory(TrainerCallback):  # type: ignore[misc]
    """Append every log of the trainer to a JSON-lines file, one line per log, on the main process only.

    A line is written by one call and flushed to disk. When training starts at step s (0 for a fresh run),
    lines of later steps and the closing summary of the stopped run are removed: a resumed run leaves the
    history of an uninterrupted one.

    Args:
        path: the file, usually `<stage>/log.jsonl`.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._waiting: list[str] = []
        self._started = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Cut the file back to the step that training starts from."""
        if not state.is_world_process_zero:
            return
        before = read_jsonl(self.path) if state.global_step > 0 else []
        kept = [line for line in before if line["step"] <= state.global_step and "train_runtime" not in line]
        write_whole(self.path, "".join(json.dumps(line) + "\n" for line in kept))
        self._started = True
        for text in self._waiting:
            self._append(text)
        self._waiting.clear()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Write one line: step, epoch and everything logged; logs before training wait for its start."""
        if not state.is_world_process_zero or logs is None:
            return
        text = json.dumps({"step": state.global_step, "epoch": state.epoch, **logs}, default=float) + "\n"
        if self._started:
            self._append(text)
        else:
            self._waiting.append(text)

    def _append(self, text: str) -> None:
        """Append in one write and flush to disk."""
        with open(self.path, "ab", buffering=0) as file:
            file.write(text.encode())
            os.fsync(file.fileno())


class ThroughputCallback(TrainerCallback):  # type: ignore[misc]
    """Add `steps_per_second` since the last log and `peak_rss_gib` to training logs.

    Place it before `JsonlHistory`: a callback sees what earlier ones added.
    """

    def __init__(self) -> None:
        self._step, self._since = 0, time.perf_counter()

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start the clock."""
        self._step, self._since = state.global_step, time.perf_counter()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        """Measure since the last training log."""
        if logs is None or "loss" not in logs or state.global_step == self._step:
            return
        now = time.perf_counter()
        logs["steps_per_second"] = (state.global_step - self._step) / max(now - self._since, 1e-9)
        logs["peak_rss_gib"] = peak_memory_gib()
        self._step, self._since = state.global_step, now
