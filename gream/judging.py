"""How good is a run? Every finished stage, both modes, the baselines and the report: the work of recipes/gream_eval.py.

Rows of a stage that was judged with the same settings are kept in eval/rows/, so a killed evaluation continues.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from genrec.backbones.rank import IdRanking
from genrec.data.files import read_json, write_arrays, write_json
from genrec.metrics.figures import ranking_figures
from genrec.metrics.report.collect import collect_run
from genrec.metrics.report.write import write_report
from genrec.run import Session, finished_stages
from genrec.run.estimate import Estimate, estimate
from genrec.run.provenance import provenance
from gream.baselines import baseline_rows
from gream.evaluate import build_examples, evaluate_direct, evaluate_reasoning
from gream.model_card import write_model_card
from gream.recommend import GreamRecommender
from gream.settings import EvalArguments
from gream.workspace import SPLIT_TEXTS, Workspace

logger = logging.getLogger(__name__)
Row = dict[str, Any]
ALL_STAGES = ("index", "cot", "align", "reason", "srpo")


class Judge:
    """Evaluates the stages of one run.

    Args:
        session: the running eval stage.
        arguments: its settings.
    """

    def __init__(self, session: Session, arguments: EvalArguments) -> None:
        self.session, self.arguments = session, arguments
        self.workspace = Workspace(Path(arguments.run_dir))
        self.split = self.workspace.split
        # the same users for every seed, so that seeds average user by user
        self.targets = self.split.test.sample(arguments.max_users if arguments.max_users >= 0 else None)
        self.sample = self.split.test.sample(arguments.reasoning_users)
        self.popularity = self.split.popularity(self.workspace.dataset.num_items)
        self.vectors = np.load(self.workspace.root / "index" / "embeddings.npy")
        self.ks = [k for k in (1, 3, 5, 10, 20, 50) if k <= arguments.num_beams]
        self.examples: list[Row] = []

    def stages(self) -> list[str]:
        """The wanted stages that have finished."""
        wanted = self.arguments.stage_names
        found = finished_stages(self.workspace.root, wanted)
        for name in sorted(set(wanted) - set(found)):
            logger.warning("stage '%s' has not finished in %s and is left out", name, self.workspace.root)
        if not found:
            raise ValueError(f"none of the stages {wanted} has finished in '{self.workspace.root}'; train one first")
        return found

    def run(self) -> dict[str, Path]:
        """Judge, write the report, and return its files."""
        rows = self._kept("baselines", self._baselines)
        stages = self.stages()
        for name in stages:
            rows += self._kept(name, lambda name=name: self._judge(name))  # type: ignore[misc]
        self.examples = read_json(self._path("examples")) if self._path("examples").is_file() else []
        return self._report(rows)

    def _path(self, name: str) -> Path:
        return self.session.folder / "rows" / f"{name}.json"

    def _kept(self, name: str, make: Callable[[], list[Row]]) -> list[Row]:
        """Rows from an earlier, killed attempt of this same evaluation, or new ones."""
        if not self._path(name).is_file():
            write_json(self._path(name), make())
        return list(read_json(self._path(name)))

    def _baselines(self) -> list[Row]:
        """Popularity and SASRec."""

        def describe(system: str, ranking: IdRanking) -> Row:
            head = {"system": system, "stage": "", "mode": "direct", "seed": self.arguments.seed}
            return head | ranking_figures(
                self.targets,
                ranking.ranks,
                ranking.items,
                ranking.ranks_unseen,
                num_items=len(self.popularity),
                popularity=self.popularity,
                vectors=self.vectors,
                ks=self.ks,
            )

        return baseline_rows(self.targets, self.popularity, self.workspace.sasrec, describe)

    def _judge(self, stage: str) -> list[Row]:
        """Rows of one checkpoint: direct, and reasoning where it was trained for it."""
        a = self.arguments
        recommender = GreamRecommender.from_pretrained(self.workspace.model_folder(stage), index=self.workspace.codes)
        direct = evaluate_direct(
            recommender, self.targets, popularity=self.popularity, vectors=self.vectors, ks=self.ks,
            num_beams=a.num_beams, unseen=a.unseen, batch_size=a.batch_size, stage=stage, seed=a.seed, progress=True,
        )  # fmt: skip
        ranks = {"users": self.targets.users, "ranks": direct.ranks}  # of the last stage in the end
        write_arrays(self.session.folder / "ranks.npz", ranks)
        if stage in ("index", "align"):
            return [direct.row]
        reasoning = evaluate_reasoning(
            recommender, self.sample, num_samples=a.reasoning_samples, temperature=a.temperature, top_p=a.top_p,
            max_new_tokens=a.max_new_tokens, batch_size=a.batch_size, stage=stage, seed=a.seed, progress=True,
        )  # fmt: skip
        examples = build_examples(
            recommender,
            self.sample,
            reasoning.samples,
            reasoning.hits,
            count=a.num_examples,
            stage=stage,
            user_ids=self.workspace.dataset.user_ids,
        )
        write_json(self._path("examples"), examples)
        return [direct.row, reasoning.row]

    def _report(self, rows: list[Row]) -> dict[str, Path]:
        """Tables, plots and provenance into the run folder."""
        root = self.workspace.root
        stages, figures = collect_run(root)
        figures["examples"] = self.examples
        mix = root / "reason" / "mix.json"
        if mix.is_file():
            figures["curriculum_mix"] = {"share": read_json(mix)}
        metrics = {**self._facts(), "rows": rows, "stages": stages, "scaling": figures.get("scaling", [])}
        files = write_report(root, metrics, figures)
        for stage in {row["stage"] for row in rows if row["stage"]}:
            judged = [row for row in rows if row["stage"] == stage]
            write_model_card(self.workspace.model_folder(stage), judged, dataset=metrics["dataset"])
        if self.arguments.results:
            write_json(Path(self.arguments.results), json.loads(files["metrics.json"].read_text()))
        return files

    def _facts(self) -> Row:
        """Dataset, protocol and provenance of the whole run."""
        states = {s: read_json(self.workspace.root / s / "stage.json") for s in ALL_STAGES if self._ran(s)}
        index, dataset = states["index"]["settings"], self.workspace.dataset
        interactions = sum(len(history) for history in dataset.histories)
        peaks = [state["provenance"]["peak_memory_gib"] for state in states.values()]
        origin = provenance()
        return {
            "title": f"GREAM on {dataset.name}",
            "dataset": {
                "name": dataset.name,
                "users": dataset.num_users,
                "items": dataset.num_items,
                "interactions": interactions,
                "steps": dataset.counts,
            },
            "protocol": {
                "split": SPLIT_TEXTS[self.workspace.split_kind],
                "ranking": "full catalogue; _unseen columns leave out the user's own history",
                "max_history": index["max_history"],
                "num_beams": self.arguments.num_beams,
                "loss": "cross-entropy on completions; SRPO: GRPO with prefix rewards and bonus",
                "backbone": _backbone(index, states),
                "reasoning": f"{len(self.sample)} users x {self.arguments.reasoning_samples} chains, "
                f"temperature {self.arguments.temperature}, top-p {self.arguments.top_p}",
                "model choice": "best validation score of each stage; test users are read only here",
            },
            "provenance": {
                **origin,
                "seeds": sorted({state["settings"]["seed"] for state in states.values()} | {self.arguments.seed}),
                "seconds": round(sum(state["seconds"] for state in states.values()) + self.session.seconds(), 1),
                "peak_memory_gib": max([*peaks, origin["peak_memory_gib"]]),
                "settings": {stage: state["settings"] for stage, state in states.items()},
            },
        }

    def _ran(self, stage: str) -> bool:
        return (self.workspace.root / stage / "stage.json").is_file()


def _backbone(index: Row, states: dict[str, Row]) -> str:
    """Name and size of the model."""
    parameters = states["index"]["facts"].get("parameters")
    size = f", {parameters / 1e6:.1f} M parameters" if parameters else ""
    return f"{index['backbone']}{size}"


def estimate_judging(arguments: EvalArguments) -> Estimate:
    """Cost of judging all finished stages.

    Args:
        arguments: settings of the eval stage.
    """
    workspace = Workspace(Path(arguments.run_dir))
    index = read_json(workspace.root / "index" / "stage.json")
    users = len(workspace.split.test) if arguments.max_users < 0 else arguments.max_users
    levels, shown = workspace.codes.num_levels, workspace.prompts.max_history
    direct = users * levels * (shown + arguments.num_beams) * (2 if arguments.unseen else 1)
    chains = arguments.reasoning_users * arguments.reasoning_samples * (arguments.max_new_tokens + levels * shown)
    stages = len(finished_stages(workspace.root, arguments.stage_names))
    return estimate(index["facts"]["parameters"], 0, stages * (direct + chains), 1.5)
