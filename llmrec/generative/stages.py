"""What do the align and eval recipes do, in order? Data, heads, ranking rows, report.

runs/<name>/
  align/    data/, heads.*, llmrec.json, rows.json, ranks.npz     reasons/  reasons.jsonl, a chat model, log.jsonl
  eval/     rating.csv, rating_key.json                           metrics.json, report.md, report.html
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.backbones.popularity import Popularity
from genrec.backbones.protocol import IdModel
from genrec.backbones.rank import evaluate_id_model, rank_id_model
from genrec.data import Dataset, load_dataset
from genrec.data.files import read_json, write_json, write_whole
from genrec.data.split import Split
from genrec.fetch import cache_folder
from genrec.llm.encoders import load_encoder
from genrec.metrics.figures import ranking_figures
from genrec.metrics.ranking import ranking_table
from genrec.metrics.report.schema import json_values
from genrec.metrics.report.write import write_report
from genrec.run import Session
from genrec.run.arguments import settings_of
from genrec.run.estimate import Estimate, estimate
from genrec.run.provenance import provenance
from llmrec.generative.alignment.baselines import baselines
from llmrec.generative.alignment.heads import AlignmentHeads
from llmrec.generative.alignment.train import train_heads
from llmrec.generative.folder import MANIFEST
from llmrec.generative.settings import AlignArguments

Row = dict[str, Any]


def prepare(arguments: AlignArguments, folder: Path, is_main: bool) -> tuple[Dataset, Split, NDArray[np.float32]]:
    """Dataset, split and text vectors; the dataset is kept in the stage's folder."""
    dataset = load_dataset(arguments.dataset)
    encoder = load_encoder(arguments.encoder, cache_folder() / "embeddings")
    texts = np.asarray(encoder.encode(dataset.catalogue.texts()), dtype=np.float32)
    if is_main:
        dataset.save(folder / "data")
        write_json(folder / MANIFEST, {"encoder": arguments.encoder, "dataset": dataset.name, "seed": arguments.seed})
    return dataset, dataset.split(), texts


def align(session: Session, arguments: AlignArguments) -> Path:
    """The align stage; returns report.html."""
    a = arguments
    dataset, split, texts = prepare(a, session.folder, session.is_main)
    heads = AlignmentHeads(texts, a.heads(), a.seed)
    valid = split.valid.sample(None if a.valid_users < 0 else a.valid_users, a.seed)
    session.facts |= {"metric": "NDCG@10", "before": _ndcg(heads, valid), "parameters": _size(heads)}
    if a.align:
        result = train_heads(
            heads, split, a.fit(), num_hard=a.num_hard, max_history=a.max_history,
            valid_users=len(valid), folder=session.folder / "state", progress=True,
        )  # fmt: skip
        best = result.best
        session.facts |= {
            "after": best["NDCG@10"],
            "chosen_step": int(best["step"]),
            "steps": int(result.history[-1]["step"]),
        }
        session.facts |= {"fit_seconds": round(result.seconds, 1)}
    if not session.is_main:
        return session.folder
    heads.save(session.folder)
    return _judged(session, a, dataset, split, heads)


def estimate_align(arguments: AlignArguments) -> Estimate:
    """Cost of the heads: every event passes both, and every step places the whole catalogue."""
    dataset = load_dataset(arguments.dataset)
    events = sum(max(len(h) - 3, 0) for h in dataset.histories)
    steps = arguments.epochs * -(-events // arguments.batch_size)
    heads = 400 * arguments.hidden + arguments.hidden * arguments.width
    return estimate(heads, steps * (dataset.num_items + arguments.batch_size), 0, 1.5)


def _judged(session: Session, a: AlignArguments, dataset: Dataset, split: Split, own: IdModel) -> Path:
    """Rows of the baselines and of the heads; rows.json, ranks.npz and the report."""
    name = {"both": "LLMRec", "text": "LLMRec, texts only", "id": "InfoNCE without LLM vectors"}[a.features]
    popularity: dict[str, IdModel] = {"Popularity": Popularity(split.popularity(dataset.num_items))}
    trained, costs = baselines(dataset, split, a) if a.baselines else ({}, {})
    models = popularity | trained
    models[name if a.align else "LLMRec without alignment"] = own
    rows: list[Row] = []
    ranks: NDArray[np.int64] = np.empty(0, dtype=np.int64)
    for system, model in models.items():
        found = rank_id_model(model, split.test, top_k=50, progress=True)
        head = {"system": system, "stage": "align" if model is own else "", "mode": "direct", "seed": a.seed}
        figures = ranking_figures(
            split.test, found.ranks, found.items, found.ranks_unseen,
            num_items=dataset.num_items, popularity=split.popularity(dataset.num_items),
        )  # fmt: skip
        rows.append(head | figures | costs.get(system, {}))
        ranks = found.ranks
    buffer = io.BytesIO()
    np.savez(buffer, users=split.test.users, ranks=ranks)
    write_whole(session.folder / "ranks.npz", buffer.getvalue())
    write_json(session.folder / "rows.json", json_values(rows))
    return report(session, dataset, rows, settings_of(a), {"max_history": a.max_history}, a.results)


def report(
    session: Session,
    dataset: Dataset,
    rows: list[Row],
    settings: Mapping[str, Any],
    protocol: Mapping[str, Any],
    results: str | None,
) -> Path:
    """Write metrics.json, report.md and report.html of the run; returns the page."""
    counts = {"users": dataset.num_users, "items": dataset.num_items, "interactions": dataset.num_interactions}
    metrics = {
        "title": f"LLMRec on {dataset.name}",
        "dataset": {"name": dataset.name, **counts, "steps": dataset.counts},
        "protocol": {
            "split": "leave-one-out: last item = test, last but one = validation",
            "ranking": "full catalogue, all test users; _unseen leaves out the user's own history",
            "num_beams": "none: exact scores",
            "loss": "symmetric InfoNCE with in-batch and hard negatives",
            "backbone": "two projection heads over text vectors",
            **protocol,
        },
        "provenance": {
            **provenance(), "seeds": [settings.get("seed", 0)], "seconds": session.seconds(), "settings": dict(settings)
        },
        "rows": rows,
        "stages": _stages(session),
    }  # fmt: skip
    files = write_report(session.folder.parent, metrics)
    if results:
        write_json(Path(results), json.loads(files["metrics.json"].read_text()))
    return files["report.html"]


def _stages(session: Session) -> list[Row]:
    """Facts of the stages that trained something: earlier ones of the run, and this one where it did."""
    rows = []
    for name in ("align", "reasons"):
        path = session.folder.parent / name / "stage.json"
        if name == session.stage:
            rows.append({"stage": name, **session.facts, "seconds": session.seconds()})
        elif path.is_file():
            state = read_json(path)
            rows.append({"stage": name, **state["facts"], "seconds": state.get("seconds")})
    return rows


def _ndcg(model: IdModel, targets: Any) -> float:
    return float(ranking_table(evaluate_id_model(model, targets), (10,))["NDCG@10"])


def _size(model: Any) -> int:
    return int(sum(p.numel() for p in model.parameters()))
