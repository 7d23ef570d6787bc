"""How good are the lists for the new and for the known? Rows of all scenes, baselines beside them, the report.

Legend: n questions of a scene, C candidates per question, K = 10. A generator searches each scene twice, over all items
and without the user's own history; every list of its rows is chosen out of these candidates.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.backbones.popularity import Popularity
from genrec.backbones.protocol import IdModel
from genrec.backbones.rank import IdRanking, rank_id_model
from genrec.backbones.sasrec import SASRec, SASRecConfig
from genrec.backbones.train import fit_id_model
from genrec.data.files import read_json, read_jsonl, write_json, write_whole
from genrec.fit.alone import AloneAccelerator
from genrec.fit.config import FitConfig
from genrec.metrics.figures import ranking_figures
from genrec.metrics.ranking import DEFAULT_KS
from genrec.metrics.report.schema import json_values
from genrec.metrics.report.write import write_report
from genrec.run import Session
from genrec.run.provenance import provenance
from sage.baselines.content import ContentNeighbours, ContentSASRec
from sage.cold.figures import cold_table
from sage.recommend import SageRecommender
from sage.settings import JudgeArguments
from sage.stages.data import RunData
from sage.stages.searched import Searched

logger = logging.getLogger(__name__)
Row = dict[str, Any]
SAMPLE_SEED = 4151
K = 10
BASELINES = "baselines"  # folder below the stage's: states of the fits, so that a killed judging does not begin anew
# What validation users chose on Beauty, see recipes/configs/sasrec/beauty/train.yaml.
SHAPE = SASRecConfig(width=64, dropout=0.5, max_history=50)
SCHEDULE: dict[str, Any] = {
    "learning_rate": 3e-3, "schedule": "cosine", "warmup_ratio": 0.1, "patience": 0, "eval_every": 3
}  # fmt: skip


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
        """The model's lists re-ranked by MMR and by DPP, with slots for new items, and last its own."""
        a, found = self.arguments, self._searched(recommender)
        variants: dict[str, Row] = {}
        for method in ("mmr", "dpp") if a.diversity > 0 else ():
            variants[f"{system} + {method.upper()} {a.diversity:g}"] = {"diversity": a.diversity, "method": method}
        if a.fresh > 0 and recommender.new_items:
            variants[f"{system} + {a.fresh} new items by their texts"] = {"fresh": a.fresh}
        rows = [
            self._row(label, {scene: pair.ranking(K, **options) for scene, pair in found.items()})
            for label, options in variants.items()
        ]
        width = max(K, a.num_beams)
        return [*rows, self._row(system, {scene: pair.ranking(width) for scene, pair in found.items()}, keep=True)]

    def _searched(self, recommender: SageRecommender) -> dict[str, Searched]:
        """Candidates of each scene that asks something."""
        width = max(K, self.arguments.num_beams)
        return {name: Searched(recommender, asked, width) for name, asked in self.scenes.items() if len(asked)}

    def baseline_rows(self) -> list[Row]:
        """Popularity, CE-SASRec, and the two content baselines, on the same training interactions."""
        split, vectors = self.data.cold.split, self.data.vectors
        models: dict[str, IdModel] = {"Popularity": Popularity(self.data.counts)}
        trained: dict[str, SASRec] = {
            "SASRec (CE)": SASRec(self.data.dataset.num_items, SHAPE, self.seed),
            "SASRec on contents (ColdRec type)": ContentSASRec(vectors, SHAPE, self.seed, self.data.known),
        }
        for name, model in trained.items():
            config = FitConfig(epochs=self.arguments.baseline_epochs, seed=self.seed, **SCHEDULE)
            fit_id_model(
                model, split, config, folder=self.session.folder / BASELINES / model.name, valid_users=1000,
                progress=True, accelerator=AloneAccelerator(),
            )  # fmt: skip
            models[name] = model
        models["content neighbours (ZeroGen type)"] = ContentNeighbours(vectors)
        return [self._baseline(name, model) for name, model in models.items()]

    def _baseline(self, name: str, model: IdModel) -> Row:
        """Row of an id model."""
        found = {scene: rank_id_model(model, asked, top_k=50) for scene, asked in self.scenes.items() if len(asked)}
        return self._row(name, found, generated=False)

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

    def _row(self, system: str, found: Mapping[str, IdRanking], keep: bool = False, generated: bool = True) -> Row:
        """One row: regular figures under their usual names, the scenes' under theirs."""
        if keep:
            self._keep(found)
        ranks = {scene: ranking.ranks for scene, ranking in found.items()}
        unseen = {scene: ranking.ranks_unseen for scene, ranking in found.items()}
        lists = {scene: ranking.items for scene, ranking in found.items()}
        table = cold_table(ranks, lists, self.data.counts, self.data.vectors, K, unseen)
        counted = {"invalid": table.pop(f"Invalid@{K}"), "duplicates": table.pop(f"Duplicates@{K}")}
        stage = self.session.stage if generated else ""
        head = {"system": system, "stage": stage, "mode": "direct", "seed": self.seed, "n_users": 0}
        return head | self._regular(found) | table | counted

    def _regular(self, found: Mapping[str, IdRanking]) -> Row:
        """The usual columns of the regular scene, head and tail included; {} where it asks nothing."""
        if "regular" not in found:
            return {}
        ranking, counts = found["regular"], self.data.counts
        return ranking_figures(
            self.scenes["regular"], ranking.ranks, ranking.items, ranking.ranks_unseen, num_items=len(counts),
            popularity=counts, ks=[k for k in DEFAULT_KS if k <= ranking.items.shape[1]],
        )  # fmt: skip

    def _keep(self, found: Mapping[str, IdRanking]) -> None:
        """Remember ranks and users for ranks.npz."""
        for scene, ranking in found.items():
            self.ranks |= {
                f"{scene}_ranks": ranking.ranks,
                f"{scene}_ranks_unseen": ranking.ranks_unseen,
                f"{scene}_users": self.scenes[scene].users,
            }

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
                "ranking": "full catalogue, new items included; _unseen leaves out the history that is shown",
                **protocol,
            },
            "provenance": {
                **origin, "seeds": [self.seed], "seconds": self.session.seconds(), "settings": dict(settings)
            },
            "rows": rows,
            "stages": [{"stage": self.session.stage, **facts, "seconds": self.session.seconds()}],
        }  # fmt: skip
