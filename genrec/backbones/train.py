"""How is an id model fitted to a split? Windows of training histories, model choice on validation NDCG@10."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from genrec.backbones.rank import evaluate_id_model
from genrec.backbones.sasrec import SASRec, SASRecConfig
from genrec.backbones.sequence import SequenceModel
from genrec.data.split import Split
from genrec.fit.config import FitConfig
from genrec.fit.loop import FitResult, fit
from genrec.metrics.ranking import ranking_table


def fit_id_model(
    model: SequenceModel,
    split: Split,
    config: FitConfig | None = None,
    *,
    folder: str | Path | None = None,
    valid_users: int | None = None,
    progress: bool = False,
    accelerator: Any = None,
) -> FitResult:
    """Train any next-item model and leave it in its best state on validation.

    Args:
        model: a backbone; it cuts its own windows and makes its own batches.
        split: only `train` and `valid` are looked at.
        config: options of the loop.
        folder: where the state is kept for resuming.
        valid_users: validate on a fixed seeded sample of this many users, default all.
        progress: show a progress bar.
        accelerator: an `accelerate.Accelerator`, default a new one.

    Returns:
        Validation metrics of the chosen model and of every epoch.
    """
    options = config or FitConfig()
    windows = model.windows(split.train)
    valid = split.valid.sample(valid_users, options.seed)

    def validate() -> dict[str, float]:
        return ranking_table(evaluate_id_model(model, valid), (5, 10))

    return fit(
        model,
        windows,
        model.collator(),
        validate,
        options,
        lengths=[len(window) for window in windows],
        settings=model.settings(),
        folder=folder,
        progress=progress,
        accelerator=accelerator,
    )


def train_sasrec(
    split: Split,
    num_items: int,
    model_config: SASRecConfig | None = None,
    fit_config: FitConfig | None = None,
    *,
    folder: str | Path | None = None,
    valid_users: int | None = None,
    progress: bool = False,
) -> tuple[SASRec, FitResult]:
    """Make and fit a SASRec.

    Args:
        split: training histories and validation targets.
        num_items: catalogue size.
        model_config: shape of the model.
        fit_config: options of the loop; its seed also seeds the weights.
        folder: where the state is kept for resuming.
        valid_users: validate on a sample of this many users, default all.
        progress: show a progress bar.

    Returns:
        The model in its best state, and how it got there.
    """
    options = fit_config or FitConfig()
    model = SASRec(num_items, model_config, seed=options.seed)
    result = fit_id_model(
        model,
        split,
        options,
        folder=folder,
        valid_users=valid_users,
        progress=progress,
    )
    return model, result
