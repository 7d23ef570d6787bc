"""How good is a trained id model? Every test user, Popularity and item-kNN beside it, and the report folder.

Legend: n test users. Files in `<run_dir>`: metrics.json, report.md, report.html; in `<run_dir>/train`: ranks.npz (ranks
per user, for paired tests) and vectors/.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.backbones.export import export_vectors
from genrec.backbones.item_knn import ItemKNN
from genrec.backbones.popularity import Popularity
from genrec.backbones.protocol import IdModel, IntArray
from genrec.backbones.rank import IdRanking, rank_id_model
from genrec.backbones.sampled import rank_sampled, sampled_table
from genrec.data.dataset import Dataset
from genrec.data.files import read_json, read_jsonl, write_arrays, write_json
from genrec.data.split import Split
from genrec.metrics.figures import ranking_figures
from genrec.metrics.ranking import DEFAULT_KS
from genrec.metrics.report.write import write_report
from genrec.run.arguments import settings_of
from genrec.run.provenance import provenance
from genrec.run.rankers.settings import RankerArguments
from genrec.run.session import Session

SPLITS = {
    "leave_one_out": "leave-one-out: last item = test, last but one = validation",
    "by_time": "by time: latest tenth of all interactions = test, the tenth before = validation",
}
Row = dict[str, Any]


class RankerJudge:
    """Judges one model of a run.

    Args:
        session: the running stage.
        dataset: its dataset.
        split: its split; only here are the test users read.
        arguments: its settings.
        more: further figures of a row, from the model and its ranking of the test users.
    """

    def __init__(
        self,
        session: Session,
        dataset: Dataset,
        split: Split,
        arguments: RankerArguments,
        more: Callable[[IdModel, IdRanking], Row] | None = None,
    ) -> None:
        """Count the training interactions."""
        self.session, self.dataset, self.split, self.arguments = session, dataset, split, arguments
        self.more = more or (lambda model, found: {})
        self.popularity = split.popularity(dataset.num_items)
        self.ranks: dict[str, Any] = {}
        self.test = split.test.sample(arguments.max_users if arguments.max_users >= 0 else None)

    def run(self, system: str, model: Any, facts: Mapping[str, Any], protocol: Mapping[str, Any] | None = None) -> Path:
        """Rank, write the report and export vectors.

        Args:
            system: name of the model in tables.
            model: the trained model.
            facts: of the training, see `train_ranker`.
            protocol: further lines for the protocol section.

        Returns:
            Path of report.html.
        """
        rows = [
            self.row("Popularity", Popularity(self.popularity)),
            self.row("item-kNN", ItemKNN(self.split.train, self.dataset.num_items)),
            self.row(system, model, keep=True),
        ]
        write_arrays(self.session.folder / "ranks.npz", self.ranks)
        if self.arguments.export:
            self._export(model)
        return self._report(rows, facts, protocol or {})

    def row(self, system: str, model: IdModel, keep: bool = False) -> Row:
        """One row of metrics.json; `keep` remembers the ranks for ranks.npz."""
        test = self.test
        found = rank_id_model(model, test, top_k=50, progress=True)
        row = {"system": system, "stage": "", "mode": "direct", "seed": self.arguments.seed}
        row |= self._figures(found) | self.more(model, found)
        if self.arguments.sampled:
            sampled = rank_sampled(model, test)  # one draw of negatives for all models and seeds
            row |= sampled_table(sampled)
            self.ranks |= {"sampled": sampled} if keep else {}
        if keep:
            self.ranks |= {"users": test.users, "ranks": found.ranks, "ranks_unseen": found.ranks_unseen}
        return row

    def _figures(self, found: IdRanking) -> Row:
        ks = [k for k in DEFAULT_KS if k <= found.items.shape[1]]
        return ranking_figures(
            self.test,
            found.ranks,
            found.items,
            found.ranks_unseen,
            num_items=self.dataset.num_items,
            popularity=self.popularity,
            ks=ks,
        )

    def _export(self, model: Any) -> None:
        """Item vectors, and user vectors that have read the training histories only."""
        vectors = user_vectors(model, self.split.train)
        ids = self.dataset.catalogue.item_ids, self.dataset.user_ids
        facts = {"model": type(model).__name__, "user_vectors": "after the training history"}
        export_vectors(self.session.folder / "vectors", model.item_vectors(), vectors, *ids, facts)

    def _report(self, rows: list[Row], facts: Mapping[str, Any], protocol: Mapping[str, Any]) -> Path:
        root, folder = self.session.folder.parent, self.session.folder
        metrics = {
            **self._sections(rows[-1]["system"], protocol),
            "rows": rows,
            "stages": [{"stage": "train", **facts}],
        }
        course = {"train": read_jsonl(folder / "log.jsonl")}
        files = write_report(
            root, metrics, {"logs": course, "validation": {"train": read_json(folder / "validation.json")}}
        )
        if self.arguments.results:
            write_json(Path(self.arguments.results), json.loads(files["metrics.json"].read_text()))
        return files["report.html"]

    def _sections(self, system: str, protocol: Mapping[str, Any]) -> Row:
        """Dataset, protocol and provenance."""
        a, d, origin = self.arguments, self.dataset, provenance()
        counts = {"users": d.num_users, "items": d.num_items, "interactions": d.num_interactions}
        return {
            "title": f"{system} on {d.name}",
            "dataset": {"name": d.name, **counts, "steps": d.counts},
            "protocol": {
                "split": SPLITS[a.split],
                "ranking": "full catalogue, all test users; _unseen leaves out the user's own history; _sampled100 "
                "ranks against 100 negatives and is comparable with such papers only",
                "max_history": a.max_history,
                "num_beams": "none: exact scores",
                "loss": a.loss if a.loss == "ce" else f"{a.loss}, {a.num_negatives} negatives",
                "backbone": system,
                "model choice": "best NDCG@10 on validation users; test users are read once, at the end",
                **protocol,
            },
            "provenance": {**origin, "seeds": [a.seed], "seconds": self.session.seconds(), "settings": settings_of(a)},
        }


def user_vectors(model: Any, histories: Sequence[IntArray], batch_size: int = 256) -> NDArray[np.float32]:
    """Vectors (n, d) of all users after their histories; a model that knows users is told who they are.

    Args:
        model: with `encode_users(users, histories)` or `encode(histories)`.
        histories: one per dense user.
        batch_size: users per forward pass.
    """
    parts = []
    for start in range(0, len(histories), batch_size):
        some = histories[start : start + batch_size]
        users = np.arange(start, start + len(some))
        parts.append(model.encode_users(users, some) if hasattr(model, "encode_users") else model.encode(some))
    return np.concatenate([part.float().cpu().numpy() for part in parts])
