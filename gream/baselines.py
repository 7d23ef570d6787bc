"""What must a generative recommender beat? Popularity and a cross-entropy SASRec on the same split.

The SASRec is trained once per run, in the index stage, because its item vectors (training interactions only) may also
join the text vectors in the codes.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genrec.backbones.popularity import Popularity
from genrec.backbones.protocol import IdModel
from genrec.backbones.rank import IdRanking, rank_id_model
from genrec.backbones.sasrec import SASRec, SASRecConfig
from genrec.backbones.train import train_sasrec
from genrec.data.files import write_json, write_whole
from genrec.data.split import Split, Targets
from genrec.fit.config import FitConfig
from gream.settings import IndexArguments

Describe = Callable[[str, IdRanking], dict[str, Any]]


def sasrec_configs(arguments: IndexArguments) -> tuple[SASRecConfig, FitConfig]:
    """Shape and schedule of the baseline."""
    a = arguments
    shape = SASRecConfig(width=a.sasrec_hidden, dropout=a.sasrec_dropout, max_history=a.sasrec_max_length)
    fit = FitConfig(
        epochs=a.sasrec_epochs,
        batch_size=a.sasrec_batch_size,
        learning_rate=a.sasrec_learning_rate,
        schedule="cosine",
        warmup_ratio=0.1,
        patience=0,
        eval_every=a.sasrec_eval_every,
        seed=a.seed,
    )
    return shape, fit


def fit_sasrec(split: Split, num_items: int, arguments: IndexArguments, folder: Path) -> SASRec:
    """Train the baseline, or continue where a killed run stopped, and keep it in a folder.

    Args:
        split: training and validation part are used.
        num_items: catalogue size.
        arguments: settings of the index stage.
        folder: where weights, shape and validation history go.

    Returns:
        The model in its best state on validation NDCG@10.
    """
    shape, schedule = sasrec_configs(arguments)
    model, result = train_sasrec(
        split,
        num_items,
        shape,
        schedule,
        folder=folder / "state",
        valid_users=arguments.sasrec_valid_users,
        progress=True,
    )
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    write_whole(folder / "weights.pt", buffer.getvalue())
    write_json(folder / "sasrec.json", {"shape": vars(shape), "num_items": num_items, "history": result.history})
    return model


def load_sasrec(folder: Path) -> SASRec:
    """Open the baseline of a run."""
    facts = json.loads((folder / "sasrec.json").read_text())
    model = SASRec(facts["num_items"], SASRecConfig(**facts["shape"]))
    model.load_state_dict(torch.load(folder / "weights.pt", weights_only=True))
    return model.eval()


def baseline_rows(
    targets: Targets, popularity: NDArray[np.int64], sasrec_folder: Path, describe: Describe
) -> list[dict[str, Any]]:
    """Rows of both baselines.

    Args:
        targets: test users.
        popularity: (num_items,) training counts.
        sasrec_folder: folder of `fit_sasrec`.
        describe: (system, ranking) -> row of metrics.json; list and group figures are made there, as for GREAM.

    Returns:
        Popularity's and SASRec's row.
    """
    models: dict[str, IdModel] = {"Popularity": Popularity(popularity), "SASRec (CE)": load_sasrec(sasrec_folder)}
    return [describe(name, rank_id_model(model, targets, top_k=50, progress=True)) for name, model in models.items()]
