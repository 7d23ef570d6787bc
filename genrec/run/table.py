"""How does a table of many runs come about? Arms of recipe steps over seeds, at one budget, put into one report.

A YAML file names the arms; each arm is a list of steps, a step a recipe with its config and overrides. Finished steps
are not run again, so a killed table goes on when the same command is typed.

    name: sage_ml1m
    title: SAGE on MovieLens-1M
    budget: 600 steps of 16 rows for every generator
    seeds: [0, 1, 2]
    reference: SAGE            # paired tests are against this arm
    shared: {max_steps: 600}   # of every step
    arms:
      SAGE: [{recipe: sage_sft, config: recipes/configs/sage/tiny_ml1m/sft.yaml}]
      no lists: [{recipe: sage_sft, config: ..., set: {list_weight: 0}}]
Legend: n questions.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from genrec.data.files import read_json, write_json, write_whole
from genrec.metrics.ranking import ndcg_values
from genrec.metrics.report.write import write_report
from genrec.metrics.uncertainty import paired_bootstrap
from genrec.run.provenance import provenance

Row = dict[str, Any]
KEYS = {"name", "title", "budget", "seeds", "reference", "shared", "arms", "results"}
STEP_KEYS = {"recipe", "config", "set"}


@dataclass(frozen=True)
class Step:
    """One recipe of an arm.

    Attributes:
        recipe: name of the script below recipes/, without `.py`.
        config: its YAML file.
        settings: overrides.
    """

    recipe: str
    config: str
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class TableSpec:
    """A table to be made.

    Attributes:
        name: folder below runs/tables/.
        arms: steps by the arm's name, which is the system's name in the table.
        seeds: of every arm.
        title: of the report.
        budget: what is equal for all arms, in words.
        reference: arm that the others are tested against; the first where it is not named.
        results: also write metrics.json here.

    Raises:
        ValueError: no arm, no seed, or an unknown reference.
    """

    name: str
    arms: dict[str, list[Step]]
    seeds: list[int]
    title: str = ""
    budget: str = ""
    reference: str = ""
    results: str | None = None

    def __post_init__(self) -> None:
        if not self.arms or not self.seeds or not all(self.arms.values()):
            raise ValueError(
                f"table '{self.name}' needs arms with steps, and seeds; got {list(self.arms)}, {self.seeds}"
            )
        self.reference = self.reference or next(iter(self.arms))
        if self.reference not in self.arms:
            raise ValueError(f"reference {self.reference!r} is no arm; the arms are {', '.join(self.arms)}")

    @classmethod
    def load(cls, path: str | Path) -> TableSpec:
        """Read the YAML file.

        Raises:
            ValueError: an unknown or missing key; it is named.
        """
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        if not isinstance(found, dict) or not {"name", "arms"} <= set(found) or set(found) - KEYS:
            raise ValueError(f"{path} needs the keys name and arms and knows only {', '.join(sorted(KEYS))}")
        shared = found.pop("shared", None) or {}
        arms = {name: [_step(path, name, step, shared) for step in steps] for name, steps in found.pop("arms").items()}
        return cls(arms=arms, seeds=found.pop("seeds", [0, 1, 2]), **found)

    @property
    def folder(self) -> Path:
        """Where the runs and the report lie."""
        return Path("runs/tables") / self.name

    def run_dir(self, arm: str, seed: int) -> Path:
        """Run folder of an arm with a seed."""
        plain = "".join(c if c.isalnum() else "_" for c in arm.lower())
        return self.folder / f"{plain}_seed{seed}"

    def commands(self, arm: str, seed: int, launch: str) -> list[list[str]]:
        """Command lines of an arm's steps, in order."""
        made = []
        for step in self.arms[arm]:
            words = [f"recipes/{step.recipe}.py", "--config", step.config, "--run_dir", str(self.run_dir(arm, seed))]
            words += ["--if_done", "skip"]
            for name, value in {**step.settings, "seed": seed}.items():
                words += [f"--{name}", json.dumps(value) if isinstance(value, (dict, bool)) else str(value)]
            made.append([sys.executable, "-m", "accelerate.commands.launch", "--config_file", launch, *words])
        return made

    def report(self) -> Path:
        """Write table.md, metrics.json, report.md and report.html from the finished runs; returns report.html.

        Raises:
            ValueError: an arm has not run.
        """
        runs = {(arm, seed): self._run(arm, seed) for seed in self.seeds for arm in self.arms}
        rows = [row for (arm, seed), run in runs.items() for row in self._rows(arm, seed, run)]
        self._add_times(rows)
        first = runs[next(iter(self.arms)), self.seeds[0]]
        seconds = sum(run["provenance"]["seconds"] or 0 for run in runs.values())
        metrics = {
            "title": self.title or self.name,
            "dataset": first["dataset"],
            "protocol": {**first["protocol"], "budget": self.budget, "tests against": self.reference},
            "provenance": {**provenance(), "seeds": self.seeds, "seconds": seconds},
            "rows": rows,
            "paired": self._paired(),
        }
        files = write_report(self.folder, metrics, {"budget": budget_points(rows), **self._health()})
        write_whole(self.folder / "table.md", files["report.md"].read_text())
        if self.results:
            write_json(Path(self.results), json.loads(files["metrics.json"].read_text()))
        return files["report.html"]

    def _run(self, arm: str, seed: int) -> Row:
        path = self.run_dir(arm, seed) / "metrics.json"
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
            if not is_arm and row["mode"] == "direct" and arm != self.reference:
                continue  # re-ranked lists and earlier stages are shown for the reference only
            name = arm if is_arm else f"{arm}: {row['system']}"
            size = _size(self.run_dir(arm, seed)) if is_arm else {}
            made.append({**row, "system": name, "stage": "", "seed": seed, **size})
        first = arm == next(iter(self.arms))
        return [*([row for row in run["rows"] if not row["stage"]] if first else []), *made]

    def _add_times(self, rows: list[Row]) -> None:
        """Training seconds until each arm was as good on validation as the worst arm became, per seed."""
        for seed in self.seeds:
            courses = {arm: validation_course(self.run_dir(arm, seed)) for arm in self.arms}
            courses = {arm: course for arm, course in courses.items() if course}
            if len(courses) < 2:
                continue
            equal = min(max(row["NDCG@10"] for row in course) for course in courses.values())
            for row in rows:
                if row["system"] in courses and row["seed"] == seed:
                    row["seconds_to_equal"] = seconds_to_reach(courses[row["system"]], equal)

    def _paired(self) -> list[Row]:
        """NDCG@10 of each arm against the reference, user by user, where both kept their ranks."""
        tests = []
        gains = {arm: self._gains(arm) for arm in self.arms}
        reference = gains[self.reference]
        for arm, scenes in gains.items():
            for scene, values in scenes.items():
                if arm == self.reference or scene not in reference or len(values) != len(reference[scene]):
                    continue
                found = paired_bootstrap(values, reference[scene])
                ends = {"low": found.difference.low, "high": found.difference.high, "p_value": found.p_value}
                tests.append(
                    {
                        "system": arm,
                        "against": self.reference,
                        "scene": scene,
                        "difference": found.difference.mean,
                        **ends,
                    }
                )
        return tests

    def _gains(self, arm: str) -> dict[str, Any]:
        """Scene -> NDCG@10 of each question (n,), mean over seeds; {} where a run kept no ranks."""
        found: dict[str, list[Any]] = {}
        for seed in self.seeds:
            files = sorted(self.run_dir(arm, seed).glob("*/ranks.npz"))
            if not files:
                return {}
            kept = np.load(files[-1])
            for name in kept.files:
                if name == "ranks" or name.endswith("_ranks"):
                    found.setdefault(name.removesuffix("_ranks"), []).append(ndcg_values(kept[name], 10))
        return {scene: np.mean(values, axis=0) for scene, values in found.items() if len(values) == len(self.seeds)}

    def _health(self) -> Row:
        """Index health of the reference arm, for the plot of alpha against popularity."""
        paths = [self.run_dir(self.reference, self.seeds[0]) / stage / "health.json" for stage in ("index", "flexcode")]
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


def _step(path: str | Path, arm: str, step: Any, shared: Mapping[str, Any]) -> Step:
    """One step of the YAML file."""
    if not isinstance(step, dict) or not {"recipe", "config"} <= set(step) or set(step) - STEP_KEYS:
        raise ValueError(f"{path}, arm '{arm}': a step needs recipe and config and may have set, got {step}")
    return Step(str(step["recipe"]), str(step["config"]), {**shared, **(step.get("set") or {})})
