"""How good are the lists for the new and for the known? Rows of all scenes, baselines beside them, the report.

Legend: n questions of a scene, K = 10.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.backbones.popularity import Popularity
from genrec.backbones.protocol import IdModel
from genrec.backbones.rank import rank_id_model
from genrec.backbones.sasrec import SASRec, SASRecConfig
from genrec.backbones.train import fit_id_model
from genrec.data.files import read_json, read_jsonl, write_json, write_whole
from genrec.data.split import Targets
from genrec.fit.alone import AloneAccelerator
from genrec.fit.config import FitConfig
from genrec.metrics.ranking import ranking_table, ranks_from_lists
from genrec.metrics.report.schema import json_values
from genrec.metrics.report.write import write_report
from genrec.run import Session
from genrec.run.provenance import provenance
from sage.baselines.content import ContentNeighbours, ContentSASRec
from sage.cold.figures import cold_table
from sage.recommend import SageRecommender
from sage.settings import JudgeArguments
from sage.stages.data import RunData

logger = logging.getLogger(__name__)
Row = dict[str, Any]
Lists = tuple[NDArray[np.int64], NDArray[np.int64]]
SAMPLE_SEED = 4151
K = 10


class Judge:
    """Judges the models of one stage on every scene.

    Args:
        session: the running stage.
        arguments: its settings.
        data: what it learnt from, and the scenes.
        seed: of the stage, for the rows.
    """

    def __init__(self, session: Session, arguments: JudgeArguments, data: RunData, seed: int) -> None:
        self.session, self.arguments, self.data, self.seed = session, arguments, data, seed
        limit = arguments.max_users if arguments.max_users >= 0 else None
        self.scenes = {name: asked.sample(limit, SAMPLE_SEED) for name, asked in data.cold.scenes.items()}
        self.ranks: dict[str, NDArray[np.int64]] = {}

    def generator_rows(self, system: str, recommender: SageRecommender) -> list[Row]:
        """The model's lists re-ranked by MMR and by DPP, and last its own."""
        rows = []
        for method in ("mmr", "dpp") if self.arguments.diversity > 0 else ():
            label = f"{system} + {method.upper()} {self.arguments.diversity:g}"
            rows.append(self._row(label, self._lists(recommender, self.arguments.diversity, method)))
        if self.arguments.fresh > 0 and recommender.new_items:
            label = f"{system} + {self.arguments.fresh} new items by their texts"
            rows.append(self._row(label, self._lists(recommender, 0.0, "mmr", self.arguments.fresh)))
        return [*rows, self._row(system, self._lists(recommender, 0.0, "mmr"), keep=True)]

    def baseline_rows(self) -> list[Row]:
        """Popularity, CE-SASRec, and the two content baselines, on the same training interactions."""
        split, vectors = self.data.cold.split, self.data.vectors
        models: dict[str, IdModel] = {"Popularity": Popularity(self.data.counts)}
        shape = SASRecConfig(width=64, dropout=0.3, max_history=50)
        trained: dict[str, SASRec] = {
            "SASRec (CE)": SASRec(self.data.dataset.num_items, shape, self.seed),
            "SASRec on contents (ColdRec type)": ContentSASRec(vectors, shape, self.seed),
        }
        for name, model in trained.items():
            config = FitConfig(epochs=self.arguments.baseline_epochs, learning_rate=3e-3, eval_every=2, seed=self.seed)
            fit_id_model(model, split, config, valid_users=1000, progress=True, accelerator=AloneAccelerator())
            models[name] = model
        models["content neighbours (ZeroGen type)"] = ContentNeighbours(vectors)
        return [self._baseline(name, model) for name, model in models.items()]

    def _baseline(self, name: str, model: IdModel) -> Row:
        """Row of an id model."""
        return self._row(name, lambda asked: _ranked(model, asked), generated=False)

    def report(self, rows: list[Row], protocol: Mapping[str, Any], settings: Mapping[str, Any]) -> Path:
        """Write rows and ranks of the stage, and the report of the run; returns report.html."""
        write_json(self.session.folder / "rows.json", json_values(rows))
        buffer = io.BytesIO()
        np.savez(buffer, **self.ranks)  # type: ignore[arg-type]
        write_whole(self.session.folder / "ranks.npz", buffer.getvalue())
        root = self.session.folder.parent
        before = root / "sft" / "rows.json"
        earlier = read_json(before) if self.session.stage == "rl" and before.is_file() else []
        metrics = self._metrics([*earlier, *rows], protocol, settings)
        stages = [stage for stage in ("sft", "rl") if (root / stage / "validation.json").is_file()]
        figures = {
            "logs": {stage: read_jsonl(root / stage / "log.jsonl") for stage in stages},
            "validation": {stage: read_json(root / stage / "validation.json") for stage in stages},
        }
        files = write_report(root, metrics, figures)
        if self.arguments.results:
            write_json(Path(self.arguments.results), json.loads(files["metrics.json"].read_text()))
        return files["report.html"]

    def _row(
        self, system: str, lists_of: Callable[[Targets], Lists], keep: bool = False, generated: bool = True
    ) -> Row:
        """One row: regular figures under their usual names, the scenes' under theirs."""
        ranks: dict[str, NDArray[np.int64]] = {}
        lists: dict[str, NDArray[np.int64]] = {}
        for name, asked in self.scenes.items():
            if len(asked):
                ranks[name], lists[name] = lists_of(asked)
        table = cold_table(ranks, lists, self.data.counts, self.data.vectors, K)
        if keep:
            self.ranks |= {f"{name}_ranks": values for name, values in ranks.items()}
            self.ranks |= {f"{name}_users": self.scenes[name].users for name in ranks}
        usual = ranking_table(ranks["regular"], (1, 5, 10)) if "regular" in ranks else {}
        stage = self.session.stage if generated else ""
        head = {"system": system, "stage": stage, "mode": "direct", "seed": self.seed}
        counted = {"invalid": table.pop(f"Invalid@{K}"), "duplicates": table.pop(f"Duplicates@{K}")}
        users = {"n_users": len(ranks.get("regular", []))}
        return head | usual | table | counted | users

    def _lists(
        self, recommender: SageRecommender, diversity: float, method: str, fresh: int = 0
    ) -> Callable[[Targets], Lists]:
        def lists_of(asked: Targets) -> Lists:
            items, _ = recommender.rank(
                asked.histories,
                K,
                max(K, self.arguments.num_beams),
                diversity=diversity,
                method=method,
                fresh=fresh,
                progress=True,  # type: ignore[arg-type]
            )
            return ranks_from_lists(items, asked.targets), items

        return lists_of

    def _metrics(self, rows: list[Row], protocol: Mapping[str, Any], settings: Mapping[str, Any]) -> Row:
        """The sections of metrics.json."""
        d, origin = self.data.dataset, provenance()
        scenes = {f"questions, {name}": len(asked) for name, asked in self.data.cold.scenes.items()}
        new = {"new users": int(self.data.cold.new_users.sum()), "new items": int(self.data.cold.new_items.sum())}
        counts = {"users": d.num_users, "items": d.num_items, "interactions": d.num_interactions}
        facts = {k: v for k, v in self.session.facts.items() if k not in ("protocol",)}
        return {
            "title": f"SAGE on {d.name}",
            "dataset": {"name": d.name, **counts, **new, **scenes, "steps": d.counts},
            "protocol": {
                "split": "cold start: new users and new items are in no training interaction; each user is asked once, "
                "for the last event",
                "ranking": "full catalogue, new items included; the history is not left out",
                **protocol,
            },
            "provenance": {
                **origin, "seeds": [self.seed], "seconds": self.session.seconds(), "settings": dict(settings)
            },
            "rows": rows,
            "stages": [{"stage": self.session.stage, **facts, "seconds": self.session.seconds()}],
        }  # fmt: skip


def _ranked(model: IdModel, asked: Targets) -> Lists:
    """Ranks and lists of an id model."""
    found = rank_id_model(model, asked, top_k=K)
    return found.ranks, found.items
