"""How is an id model fitted to a split? Windows of training histories, model choice on validation NDCG@10."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from genrec.backbones.rank import evaluate_id_model
from genrec.backbones.sasrec import SASRec, SASRecConfig
from genrec.data.split import Split
from genrec.fit.config import FitConfig
from genrec.fit.loop import FitResult, fit
from genrec.fit.sequences import next_item_collator, next_item_windows
from genrec.metrics.ranking import ranking_table


def fit_id_model(
    model: nn.Module,
    split: Split,
    max_history: int,
    config: FitConfig | None = None,
    *,
    folder: str | Path | None = None,
    valid_users: int | None = None,
    progress: bool = False,
    accelerator: Any = None,
) -> FitResult:
    """Train any next-item model and leave it in its best state on validation.

    Args:
        model: `IdModel` with `loss` over `inputs` and `targets` (B, L), for instance `SASRec`.
        split: only `train` and `valid` are looked at.
        max_history: most inputs per training window.
        config: options of the loop.
        folder: where the state is kept for resuming.
        valid_users: validate on a fixed seeded sample of this many users, default all.
        progress: show a progress bar.
        accelerator: an `accelerate.Accelerator`, default a new one.

    Returns:
        Validation metrics of the chosen model and of every epoch.
    """
    options = config or FitConfig()
    windows = next_item_windows(split.train, max_history)
    valid = split.valid.sample(valid_users, options.seed)

    def validate() -> dict[str, float]:
        return ranking_table(evaluate_id_model(model, valid), (5, 10))  # type: ignore[arg-type]

    return fit(
        model,
        windows,
        next_item_collator(model.num_items),  # type: ignore[arg-type]
        validate,
        options,
        lengths=[len(window) for window in windows],
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
        model.config.max_history,
        options,
        folder=folder,
        valid_users=valid_users,
        progress=progress,
    )
    return model, result
