"""How is an id model trained in a run folder? Data, model, fit; a killed run goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from genrec.backbones.rank import evaluate_id_model
from genrec.backbones.sequence import SequenceModel
from genrec.backbones.train import fit_id_model
from genrec.data.dataset import Dataset
from genrec.data.files import write_json, write_whole
from genrec.data.load import load_dataset
from genrec.data.split import Split, SplitKind
from genrec.fit.loop import FitResult
from genrec.metrics.ranking import ndcg_at_k
from genrec.run.estimate import Estimate, estimate
from genrec.run.rankers.settings import RankerArguments
from genrec.run.session import Session

Fit = Callable[..., FitResult]


def load_data(arguments: RankerArguments) -> tuple[Dataset, Split]:
    """The dataset of a run and its split; item texts hold reviews from the training part of this split only."""
    dataset = load_dataset(
        arguments.dataset,
        k_core=arguments.k_core,
        min_rating=arguments.min_rating,
        on_error=arguments.on_error,  # type: ignore[arg-type]  # checked there, with the choices
        items=arguments.items,
        evidence_split=arguments.split,
    )
    return dataset, dataset.split(cast(SplitKind, arguments.split))


def accelerator(precision: str) -> Any:
    """An accelerator of fp32 or bf16; auto probes this machine."""
    import torch
    from accelerate import Accelerator

    from genrec.llm.precision import fastest_dtype

    if precision == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
        precision = "bf16" if fastest_dtype(device) == torch.bfloat16 else "fp32"
    return Accelerator(mixed_precision="bf16" if precision == "bf16" else "no")


def train_ranker(model: Any, split: Split, arguments: RankerArguments, session: Session) -> dict[str, Any]:
    """Train in `<stage>/state` and leave the best model in `<stage>`.

    Args:
        model: a `SequenceModel`, or one that wraps it.
        split: training and validation parts are used.
        arguments: settings.
        session: the running stage.

    Returns:
        Facts for stage.json and the report: metric before and after, chosen step, steps, parameters, precision.
    """
    prepared = accelerator(arguments.precision)
    valid = split.valid.sample(arguments.valid_users, arguments.seed)
    before = ndcg_at_k(evaluate_id_model(model, valid), 10) if session.is_main else 0.0
    result = fit_id_model(
        model,
        split,
        arguments.fit(),
        folder=session.folder / "state",
        valid_users=arguments.valid_users,
        progress=True,
        accelerator=prepared,
    )
    if session.is_main:
        model.save(session.folder)
        _write_course(session.folder, result)
    return {
        "metric": "NDCG@10",
        "before": before,
        "after": result.best["NDCG@10"],
        "chosen_step": int(result.best["step"]),
        "steps": int(result.history[-1]["step"]),
        "epochs": int(result.history[-1]["epoch"]),
        "fit_seconds": round(result.seconds, 1),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "precision": prepared.mixed_precision,
    }


def _write_course(folder: Path, result: FitResult) -> None:
    """Loss and validation scores per step, as the report reads them."""
    import json

    losses = [{"step": int(entry["step"]), "loss": entry["loss"]} for entry in result.history]
    write_whole(folder / "log.jsonl", "".join(json.dumps(line) + "\n" for line in losses))
    left_out = ("epoch", "loss", "seconds")
    scores = [{name: value for name, value in entry.items() if name not in left_out} for entry in result.history]
    write_json(folder / "validation.json", scores)


def estimate_ranker(model: SequenceModel, split: Split, arguments: RankerArguments) -> Estimate:
    """Cost of all epochs: every position is scored against the catalogue, so these products count as parameters."""
    positions = sum(len(window) - 1 for window in model.windows(split.train)) * arguments.epochs
    size = sum(weight.numel() for weight in model.parameters())
    cells = arguments.batch_size * arguments.max_history * arguments.width * 40  # activations of all layers
    return estimate(size, positions, 0, (16 * size + 4 * cells) / 2**30 + 0.5)
