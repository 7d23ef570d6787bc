"""What is in a table of many runs? Rows named after their arms, paired tests, times to equal quality, plots.

Legend: n questions.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genrec.data.files import read_json, write_json, write_whole
from genrec.metrics.ranking import ndcg_values
from genrec.metrics.report.write import write_report
from genrec.metrics.uncertainty import paired_bootstrap
from genrec.run.provenance import provenance
from genrec.run.table import TableSpec

logger = logging.getLogger(__name__)
Row = dict[str, Any]


class TableReport:
    """The report of a table whose arms have run.

    Args:
        spec: the table.
    """

    def __init__(self, spec: TableSpec) -> None:
        self.spec = spec

    def write(self) -> Path:
        """Write table.md, metrics.json, report.md and report.html from the finished runs; returns report.html.

        Raises:
            ValueError: an arm has not run.
        """
        runs = {(arm, seed): self._run(arm, seed) for seed in self.spec.seeds for arm in self.spec.arms}
        rows = [row for (arm, seed), run in runs.items() for row in self._rows(arm, seed, run)]
        self._add_times(rows)
        first = runs[next(iter(self.spec.arms)), self.spec.seeds[0]]
        seconds = sum(run["provenance"]["seconds"] or 0 for run in runs.values())
        metrics = {
            "title": self.spec.title or self.spec.name,
            "dataset": first["dataset"],
            "protocol": {**first["protocol"], "budget": self.spec.budget, "tests against": self.spec.reference},
            "provenance": {**provenance(), "seeds": self.spec.seeds, "seconds": seconds},
            "rows": rows,
            "paired": self._paired(),
        }
        files = write_report(self.spec.folder, metrics, {"budget": budget_points(rows), **self._health()})
        write_whole(self.spec.folder / "table.md", files["report.md"].read_text())
        if self.spec.results:
            write_json(Path(self.spec.results), json.loads(files["metrics.json"].read_text()))
        return files["report.html"]

    def _run(self, arm: str, seed: int) -> Row:
        path = self.spec.run_dir(arm, seed) / "metrics.json"
        if not path.is_file():
            raise ValueError(f"arm '{arm}' has not run with seed {seed}: {path} is missing; run recipes/table.py")
        return dict(read_json(path))

    def _rows(self, arm: str, seed: int, run: Row) -> list[Row]:
        """The arm's rows under its name: the last of direct mode is the arm; other modes say what they judged.

        Rows without a stage are baselines and come from the first arm; a run of baselines alone gives its last row.
        """
        own = [row for row in run["rows"] if row["stage"]] or run["rows"][-1:]
        direct = [row for row in own if row["mode"] == "direct"]
        made = []
        for row in own:
            is_arm = bool(direct) and row is direct[-1]
            if not is_arm and row["mode"] == "direct" and arm != self.spec.reference:
                continue  # re-ranked lists and earlier stages are shown for the reference only
            name = arm if is_arm else f"{arm}: {row['system']}"
            size = _size(self.spec.run_dir(arm, seed)) if is_arm else {}
            made.append({**row, "system": name, "stage": "", "seed": seed, **size})
        first = arm == next(iter(self.spec.arms))
        return [*([row for row in run["rows"] if not row["stage"]] if first else []), *made]

    def _add_times(self, rows: list[Row]) -> None:
        """Training seconds until each arm was as good on validation as `equal_to`, or the worst, became, per seed."""
        for seed in self.spec.seeds:
            courses = {arm: validation_course(self.spec.run_dir(arm, seed)) for arm in self.spec.arms}
            courses = {arm: course for arm, course in courses.items() if course}
            best = {arm: max(row["NDCG@10"] for row in course) for arm, course in courses.items()}
            if self.spec.equal_to and self.spec.equal_to not in best:
                logger.warning(
                    "arm '%s', seed %d, has no validation.json: no times to its quality", self.spec.equal_to, seed
                )
                continue
            if len(best) < 2:
                continue
            equal = best.get(self.spec.equal_to, min(best.values()))
            for row in rows:
                if row["system"] in courses and row["seed"] == seed:
                    row["seconds_to_equal"] = seconds_to_reach(courses[row["system"]], equal)

    def _paired(self) -> list[Row]:
        """NDCG@10 of each arm against the reference, user by user, where both kept their ranks."""
        tests = []
        gains = {arm: self._gains(arm) for arm in self.spec.arms}
        reference = gains[self.spec.reference]
        for arm, scenes in gains.items():
            for scene, values in scenes.items():
                if arm == self.spec.reference or scene not in reference:
                    continue
                if len(values) != len(reference[scene]):
                    other = len(reference[scene])
                    logger.warning(
                        "arm '%s' was asked %d questions in '%s' and the reference %d: not tested",
                        arm, len(values), scene, other,
                    )  # fmt: skip
                    continue
                found = paired_bootstrap(values, reference[scene])
                ends = {"low": found.difference.low, "high": found.difference.high, "p_value": found.p_value}
                tests.append(
                    {
                        "system": arm,
                        "against": self.spec.reference,
                        "scene": scene,
                        "difference": found.difference.mean,
                        **ends,
                    }
                )
        return tests

    def _gains(self, arm: str) -> dict[str, Any]:
        """Scene -> NDCG@10 of each question (n,), mean over seeds; {} where a run kept no ranks."""
        found: dict[str, list[Any]] = {}
        for seed in self.spec.seeds:
            files = sorted(self.spec.run_dir(arm, seed).glob("*/ranks.npz"), key=lambda path: path.stat().st_mtime)
            if not files:
                logger.warning("arm '%s' kept no ranks.npz with seed %d: it is in no paired test", arm, seed)
                return {}
            kept = np.load(files[-1])
            for name in kept.files:
                if name == "ranks" or name.endswith("_ranks"):
                    found.setdefault(name.removesuffix("_ranks"), []).append(ndcg_values(kept[name], 10))
        return {
            scene: np.mean(values, axis=0) for scene, values in found.items() if len(values) == len(self.spec.seeds)
        }

    def _health(self) -> Row:
        """Index health of the reference arm, for the plot of alpha against popularity."""
        paths = [
            self.spec.run_dir(self.spec.reference, self.spec.seeds[0]) / stage / "health.json"
            for stage in ("index", "flexcode")
        ]
        return next(({"index_health": read_json(path)} for path in paths if path.is_file()), {})


def validation_course(run_dir: Path) -> list[Row]:
    """Validation scores with training seconds of a run's first stage that has them; [] without."""
    for path in sorted(run_dir.glob("*/validation.json"), key=lambda p: p.stat().st_mtime):
        rows = read_json(path)
        if rows and all({"NDCG@10", "train_seconds"} <= set(row) for row in rows):
            return list(rows)
    return []


def seconds_to_reach(course: Sequence[Row], quality: float, metric: str = "NDCG@10") -> float | None:
    """Training seconds until a validation first was as good as `quality`; None when none was."""
    return next((float(row["train_seconds"]) for row in course if row[metric] >= quality), None)


def budget_points(rows: Sequence[Row]) -> list[Row]:
    """Points of the plot of quality against tokens per item; the name in front of "budget" is the line's label."""
    return [
        {"budget": row["tokens_per_item"], "value": row["NDCG@10"], "label": row["system"].split(", budget")[0]}
        for row in rows
        if row.get("tokens_per_item") and row.get("NDCG@10") is not None and ", budget" in row["system"]
    ]


def _size(run_dir: Path) -> Row:
    """Mean tokens per item of the run's index, where it has one."""
    path = run_dir / "index" / "index.json"
    if not path.is_file():
        return {}
    from genrec.sid.codes import ItemCodes

    return {"tokens_per_item": round(float(ItemCodes.load(path).lengths.mean()), 3)}
