"""How does a table of many runs come about? Arms of recipe steps over seeds, at one budget, put into one report.

A YAML file names what every arm runs and what each arm changes in it. Finished steps are not run again, so a killed
table goes on when the same command is typed.

    name: sage_ml1m
    title: SAGE on MovieLens-1M
    budget: 600 steps of 16 rows for every generator
    seeds: [0, 1, 2]
    reference: SAGE                            # paired tests are against this arm
    share: true                                # a step that an earlier arm has run with the same settings is linked
    steps:                                     # recipes of every arm, in order
      sage_sft: {config: recipes/configs/sage/tiny_ml1m/sft.yaml, set: {max_steps: 600}}
      sage_rl: {config: recipes/configs/sage/tiny_ml1m/rl.yaml}
    arms:
      SAGE: {}
      no lists: {sage_sft: {list_weight: 0}}   # settings that differ
      no RL: {sage_rl: false}                  # a step left out
      BERT4Rec:                                # or steps of its own
        bert4rec_train: {config: recipes/configs/bert4rec/ml1m/train.yaml, set: {epochs: 6}}
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

KEYS = {"name", "title", "budget", "seeds", "reference", "share", "steps", "arms", "results"}
STEP_KEYS = {"config", "set"}


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
        share: whether a step that an earlier arm has finished is linked, see `genrec.run.table_sharing`.

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
    share: bool = False

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
        steps = {name: _step(f"{path}, steps", name, step) for name, step in (found.pop("steps", None) or {}).items()}
        arms = {name: _arm(f"{path}, arm '{name}'", steps, changes) for name, changes in found.pop("arms").items()}
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
        from genrec.run.table_report import TableReport

        return TableReport(self).write()


def _arm(place: str, steps: Mapping[str, Step], changes: Any) -> list[Step]:
    """Steps of an arm: its own where it names configs, else those of every arm with its changes."""
    changes = changes or {}
    if not isinstance(changes, dict):
        raise ValueError(f"{place}: give a mapping from recipes to what differs, got {changes}")
    if any(isinstance(change, dict) and "config" in change for change in changes.values()):
        return [_step(place, name, step) for name, step in changes.items()]
    if unknown := sorted(set(changes) - set(steps)):
        raise ValueError(f"{place} changes {', '.join(unknown)}; the steps of every arm are {', '.join(steps)}")
    kept = [step for step in steps.values() if changes.get(step.recipe) is not False]
    return [replace(step, settings=_changed(step.settings, changes.get(step.recipe) or {})) for step in kept]


def _step(place: str, recipe: str, step: Any) -> Step:
    """One step of the YAML file."""
    if not isinstance(step, dict) or "config" not in step or set(step) - STEP_KEYS:
        raise ValueError(f"{place}: step '{recipe}' needs config and may have set, got {step}")
    return Step(recipe, str(step["config"]), step.get("set") or {})


def _changed(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with changes: in a mapping what is not changed stays, and null goes back to the config's own value."""
    both = [name for name in changes if isinstance(changes[name], dict) and isinstance(settings.get(name), dict)]
    merged = {**settings, **changes, **{name: {**settings[name], **changes[name]} for name in both}}
    return {name: value for name, value in merged.items() if value is not None}
