"""What is one setting worth? Trains the stages from the one that has it onwards, once per value and seed.

Legend: a variant is one value with one seed. It lives in a run folder of its own, in which the stages before the varied
one are links to those of the base run, so that all variants share them and none pays for them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genrec.data.files import read_json, write_json
from genrec.posttrain.validation import best_step, validation_history
from genrec.run.provenance import provenance

logger = logging.getLogger(__name__)
STAGES = ("index", "cot", "align", "reason", "srpo")


@dataclass
class Ablation:
    """A setting, its values, and the budget they share.

    Attributes:
        stage: stage that has the setting.
        setting: its name in that stage's YAML file.
        values: what is tried, as text of the command line.
        until: last stage trained; its validation judges.
        base: finished run whose earlier stages are shared.
        folder: where the variants' run folders lie.
        configs: folder with a YAML file per stage.
        fixed: stage -> setting -> value for all variants: the budget.
        seeds: of every stage that is trained.
    """

    stage: str
    setting: str
    values: Sequence[str]
    until: str
    base: Path
    folder: Path
    configs: Path
    fixed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    seeds: Sequence[int] = (0,)

    def __post_init__(self) -> None:
        for name in (self.stage, self.until):
            if name not in STAGES:
                raise ValueError(f"'{name}' is no stage; use one of {', '.join(STAGES)}")
        if self.until not in ("align", "reason", "srpo"):
            raise ValueError(f"the last stage must be one that is validated: align, reason or srpo, not {self.until}")
        if STAGES.index(self.stage) > STAGES.index(self.until):
            raise ValueError(f"{self.stage} comes after {self.until}: a setting of it cannot change that stage")

    @property
    def trained(self) -> tuple[str, ...]:
        """Stages that every variant runs."""
        return STAGES[STAGES.index(self.stage) : STAGES.index(self.until) + 1]

    def variants(self) -> list[tuple[str, int]]:
        """Values with seeds; all values with the first seed come first."""
        return [(value, seed) for seed in self.seeds for value in self.values]

    def run_dir(self, value: str, seed: int) -> Path:
        """Run folder of a variant."""
        return self.folder / f"{self.stage}.{self.setting}" / f"{value.replace('/', '_')}_seed{seed}"

    def arguments(self, stage: str, value: str, seed: int) -> list[str]:
        """Command line of one stage of a variant, behind the recipe's name."""
        settings = {**self.fixed.get(stage, {}), "seed": str(seed)}
        if stage == self.stage:
            settings[self.setting] = value
        words = ["--config", str(self.configs / f"{stage}.yaml"), "--run_dir", str(self.run_dir(value, seed))]
        return [*words, "--if_done", "skip", *[w for name, text in settings.items() for w in (f"--{name}", text)]]

    def link_base(self, value: str, seed: int) -> Path:
        """Make a variant's run folder, with links to the stages that it shares.

        Raises:
            ValueError: the base run lacks one of them.
        """
        target = self.run_dir(value, seed)
        target.mkdir(parents=True, exist_ok=True)
        for stage in STAGES[: STAGES.index(self.stage)]:
            source = self.base / stage
            if not (source / "stage.json").is_file():
                raise ValueError(f"'{self.base}' has no stage '{stage}'; finish it there first, it is shared")
            if not (target / stage).exists():
                (target / stage).symlink_to(source.resolve(), target_is_directory=True)
        return target

    def row(self, value: str, seed: int) -> dict[str, Any]:
        """What the last stage of a finished variant reached on validation, with the weights it chose."""
        folder = self.run_dir(value, seed) / self.until
        state = read_json(folder / "stage.json")
        chosen = best_step(folder, state["facts"]["metric"])
        scores = next(row for row in validation_history(folder) if row["step"] == chosen)
        kept = {name: score for name, score in scores.items() if name != "step"}
        times = {"steps": state["facts"]["steps"], "chosen_step": chosen, "seconds": state["seconds"]}
        return {"value": value, "seed": seed, **kept, **times}

    def result(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Content of results/ablation_*.json."""
        metric = read_json(self.run_dir(*self.variants()[0]) / self.until / "stage.json")["facts"]["metric"]
        others = [name for name in rows[0] if name not in {"value", "seed", "steps", "chosen_step", "seconds", metric}]
        budget = "; ".join(f"{s}: {', '.join(f'{k} {v}' for k, v in kv.items())}" for s, kv in self.fixed.items())
        what = f"{self.until} on {self.base.name}, chosen by {metric} on validation users"
        facts = provenance()
        origin = {name: facts[name] for name in ("command", "revision", "hardware", "versions")}
        return {
            "setting": f"{self.stage}.{self.setting}",
            "what": f"{what}; {budget}" if budget else what,
            "metrics": [metric, *others],
            "rows": list(rows),
            "seeds": list(self.seeds),
            **origin,
        }

    def save(self, path: Path) -> None:
        """Write what the finished variants reached."""
        done = [(v, s) for v, s in self.variants() if self._finished(v, s)]
        write_json(path, self.result([self.row(*variant) for variant in done]))

    def _finished(self, value: str, seed: int) -> bool:
        state = self.run_dir(value, seed) / self.until / "stage.json"
        return state.is_file() and bool(read_json(state)["finished"])


def fixed_settings(words: list[str]) -> dict[str, dict[str, str]]:
    """`stage.setting=value` words as stage -> setting -> value."""
    found: dict[str, dict[str, str]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        stage, dot, setting = name.partition(".")
        if not (equals and dot and stage in STAGES):
            raise ValueError(f"'{word}' is not of the form stage.setting=value, e.g. align.max_steps=2000")
        found.setdefault(stage, {})[setting] = value
    return found
