"""What do the heads have to beat? CE-SASRec at its own recipe's settings, and LightGCN until it stops getting better.

A baseline at fewer steps or a smaller shape than it was tuned for says nothing; each row carries steps and seconds.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import yaml

from genrec.backbones.protocol import IdModel
from genrec.backbones.rank import evaluate_id_model
from genrec.backbones.sasrec import SASRec, SASRecConfig
from genrec.backbones.train import fit_id_model
from genrec.data import Dataset
from genrec.data.split import Split
from genrec.fit.alone import AloneAccelerator
from genrec.fit.config import FitConfig
from genrec.fit.loop import FitResult, fit
from genrec.metrics.ranking import ranking_table
from genrec.run.rankers.settings import SasrecArguments
from llmrec.generative.alignment.lightgcn import LightGCN
from llmrec.generative.settings import AlignArguments

LIGHTGCN = FitConfig(epochs=200, batch_size=4096, learning_rate=1e-2, eval_every=5, patience=5)
Cost = dict[str, float]


def baselines(dataset: Dataset, split: Split, a: AlignArguments) -> tuple[dict[str, IdModel], dict[str, Cost]]:
    """CE-SASRec and LightGCN, trained on the same interactions, and what each took: `steps`, `fit_seconds`."""
    settings = sasrec_settings(a)
    sasrec = SASRec(dataset.num_items, settings.shape(SASRecConfig), a.seed)
    options, seen = _with_epochs(settings.fit(), a), settings.valid_users
    first = fit_id_model(sasrec, split, options, valid_users=seen, progress=True, accelerator=AloneAccelerator())
    graph = LightGCN(split.train, dataset.num_items, seed=a.seed)
    valid = split.valid.sample(1000, a.seed)
    second = fit(
        graph, range(len(graph.edges)), graph.collate, lambda: ranking_table(evaluate_id_model(graph, valid), (10,)),
        _with_epochs(LIGHTGCN, a), progress=True, accelerator=AloneAccelerator(),
    )  # fmt: skip
    models: dict[str, IdModel] = {"SASRec (CE)": sasrec, "LightGCN": graph}
    return models, {name: _cost(result) for name, result in zip(models, (first, second), strict=True)}


def sasrec_settings(a: AlignArguments) -> SasrecArguments:
    """CE-SASRec's settings, of the file that the arguments name, else the recipe's defaults.

    Raises:
        ValueError: no such file, or it is none of recipes/sasrec_train.py.
    """
    if a.sasrec is None:
        return SasrecArguments()
    if not Path(a.sasrec).is_file():
        raise ValueError(f"sasrec: there is no file '{a.sasrec}'; give a recipes/configs/sasrec/<setting>/train.yaml")
    try:
        return SasrecArguments(**yaml.safe_load(Path(a.sasrec).read_text(encoding="utf-8")))
    except TypeError as error:
        raise ValueError(f"sasrec: '{a.sasrec}' holds no settings of recipes/sasrec_train.py ({error})") from error


def _with_epochs(config: FitConfig, a: AlignArguments) -> FitConfig:
    return replace(config, seed=a.seed, epochs=a.baseline_epochs or config.epochs)


def _cost(result: FitResult) -> Cost:
    return {"steps": result.history[-1]["step"], "fit_seconds": round(result.seconds, 1)}
