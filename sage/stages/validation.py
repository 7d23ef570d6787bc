"""How good is the model while it trains, and how long has it trained? Validation lists and the clock beside them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from transformers import TrainerCallback

from genrec.metrics.ranking import ndcg_at_k, ranks_from_lists, recall_at_k
from genrec.posttrain.callbacks import JsonlHistory, ThroughputCallback
from genrec.posttrain.validation import Scores, ValidationCallback, validation_history
from genrec.run import Session
from sage.recommend import SageRecommender
from sage.settings import JudgeArguments
from sage.stages.data import RunData

METRIC = "NDCG@10"
VALIDATION_SEED = 4151


def callbacks(session: Session, arguments: JudgeArguments, data: RunData, recommender: SageRecommender) -> list[Any]:
    """History file, speed, clock and validation, in the order they must run."""
    clock = TrainingClock(session.folder)
    validate = Validation(data, recommender, arguments, clock)
    files = [ThroughputCallback(), JsonlHistory(session.folder / "log.jsonl"), clock]
    return [*files, ValidationCallback(validate, METRIC, arguments.validate_every)]


class TrainingClock(TrainerCallback):  # type: ignore[misc]
    """Seconds of training, validation not counted, of all attempts together.

    A resumed run goes on from what validation.json says of its checkpoint: exactly where checkpoints lie on
    validations, else from the last validation before.

    Args:
        folder: the stage's folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.before, self.started, self.paused = folder, 0.0, 0.0, 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start, at what earlier attempts took up to this step."""
        rows = [row for row in validation_history(self.folder) if 0 < row["step"] <= state.global_step]
        self.before = float(rows[-1]["train_seconds"]) if rows else 0.0
        self.started, self.paused = time.perf_counter(), 0.0

    def seconds(self) -> float:
        """Training time so far."""
        return self.before + time.perf_counter() - self.started - self.paused

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let what happens inside not count."""
        began = time.perf_counter()
        yield
        self.paused += time.perf_counter() - began


class Validation:
    """NDCG@10 and Recall@10 on a fixed sample of validation users, and the training seconds so far.

    New items stay out of these lists: training may not know them, and no validation answer is one.

    Args:
        data: the split's validation part is asked.
        recommender: spelling and prompts; the model is given with each call.
        arguments: sample size and beams.
        clock: measures the training.
    """

    def __init__(
        self, data: RunData, recommender: SageRecommender, arguments: JudgeArguments, clock: TrainingClock
    ) -> None:
        self.targets = data.cold.split.valid.sample(arguments.validation_users, VALIDATION_SEED)
        self.recommender, self.beams, self.clock = recommender, arguments.validation_beams, clock
        self.new_items = set(np.flatnonzero(~data.known).tolist())

    def __call__(self, model: Any) -> Scores:
        """Scores of a model."""
        seconds = self.clock.seconds()
        with self.clock.stopped():
            return {**self._scores(model), "train_seconds": round(seconds, 1)}

    def _scores(self, model: Any) -> Scores:
        r = self.recommender
        live = SageRecommender(model, r.tokenizer, r.names, r.catalogue, r.vectors, r.manifest)
        exclude = [self.new_items] * len(self.targets) if self.new_items else None
        items, _ = live.rank(self.targets.histories, 10, max(10, self.beams), exclude=exclude)
        ranks = ranks_from_lists(items, self.targets.targets)
        return {METRIC: ndcg_at_k(ranks, 10), "Recall@10": recall_at_k(ranks, 10)}
