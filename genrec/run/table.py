"""How does a table of many runs come about? Arms of recipe steps over seeds, at one budget, put into one report.

A YAML file names what every arm runs and what each arm changes in it. Finished steps are not run again, so a killed
table goes on when the same command is typed.

    name: sage_ml1m
    title: SAGE on MovieLens-1M
    budget: 600 steps of 16 rows for every generator
    seeds: [0, 1, 2]
    reference: SAGE                            # paired tests are against this arm
    equal_to: RQ index                         # training seconds until as good on validation as this arm became
    steps:                                     # recipes of every arm, in order
      sage_sft: {config: recipes/configs/sage/tiny_ml1m/sft.yaml, set: {max_steps: 600}}
      sage_rl: {config: recipes/configs/sage/tiny_ml1m/rl.yaml}
    arms:
      SAGE: {}
      no lists: {sage_sft: {list_weight: 0}}   # settings that differ
      no RL: {sage_rl: false}                  # a step left out
      weaker RL: {sage_sft: {from: SAGE}, sage_rl: {beta: 0}}  # its first step is the other arm's, linked
      BERT4Rec:                                # or steps of its own
        bert4rec_train: {config: recipes/configs/bert4rec/ml1m/train.yaml, set: {epochs: 6}}
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from genrec.run.state import finished_stages
from genrec.run.table_steps import Step, read_arm, read_step

KEYS = {"name", "title", "budget", "seeds", "reference", "equal_to", "steps", "arms", "results"}


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
        equal_to: arm whose best validation the times to equal quality are measured at; "" = the worst arm's, per seed.
        results: also write metrics.json here.

    Raises:
        ValueError: no arm, no seed, an unknown reference, or a step from an arm that does not run it before.
    """

    name: str
    arms: dict[str, list[Step]]
    seeds: list[int]
    title: str = ""
    budget: str = ""
    reference: str = ""
    equal_to: str = ""
    results: str | None = None

    def __post_init__(self) -> None:
        if not self.arms or not self.seeds or not all(self.arms.values()):
            raise ValueError(
                f"table '{self.name}' needs arms with steps, and seeds; got {list(self.arms)}, {self.seeds}"
            )
        self.reference = self.reference or next(iter(self.arms))
        if self.reference not in self.arms:
            raise ValueError(f"reference {self.reference!r} is no arm; the arms are {', '.join(self.arms)}")
        if self.equal_to and self.equal_to not in self.arms:
            raise ValueError(f"equal_to {self.equal_to!r} is no arm; the arms are {', '.join(self.arms)}")
        self._check_sources()

    @classmethod
    def load(cls, path: str | Path) -> TableSpec:
        """Read the YAML file.

        Raises:
            ValueError: an unknown or missing key; it is named.
        """
        found = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        if not isinstance(found, dict) or not {"name", "arms"} <= set(found) or set(found) - KEYS:
            raise ValueError(f"{path} needs the keys name and arms and knows only {', '.join(sorted(KEYS))}")
        steps = {
            name: read_step(f"{path}, steps", name, step) for name, step in (found.pop("steps", None) or {}).items()
        }
        arms = {name: read_arm(f"{path}, arm '{name}'", steps, changes) for name, changes in found.pop("arms").items()}
        return cls(arms=arms, seeds=found.pop("seeds", [0, 1, 2]), **found)

    @property
    def folder(self) -> Path:
        """Where the runs and the report lie."""
        return Path("runs/tables") / self.name

    def run_dir(self, arm: str, seed: int) -> Path:
        """Run folder of an arm with a seed."""
        plain = "".join(c if c.isalnum() else "_" for c in arm.lower())
        return self.folder / f"{plain}_seed{seed}"

    def link(self, arm: str, seed: int) -> list[Path]:
        """Put the stages that an arm takes from others into its run folder, as links; returns these.

        Raises:
            ValueError: a stage that has not finished, or another one in the link's place.
        """
        made = []
        for step in self.arms[arm]:
            if not step.source:
                continue
            there = self.run_dir(step.source, seed)
            if not finished_stages(there, [step.stage]):
                raise ValueError(
                    f"arm '{arm}' starts from stage '{step.stage}' of arm '{step.source}', which has not finished in "
                    f"'{there}'; run that arm first: recipes/table.py ... --only '{step.source}'"
                )
            made.append(_linked(self.run_dir(arm, seed) / step.stage, Path("..") / there.name / step.stage))
        return made

    def commands(self, arm: str, seed: int, launch: str) -> list[list[str]]:
        """Command lines of the steps that an arm runs itself, in order."""
        made = []
        for step in (step for step in self.arms[arm] if not step.source):
            words = [f"recipes/{step.recipe}.py", "--config", step.config, "--run_dir", str(self.run_dir(arm, seed))]
            words += ["--if_done", "skip"]
            for name, value in {**step.settings, "seed": seed}.items():
                words += [f"--{name}", json.dumps(value) if isinstance(value, (dict, bool)) else str(value)]
            made.append([sys.executable, "-m", "accelerate.commands.launch", "--config_file", launch, *words])
        return made

    def _check_sources(self) -> None:
        """A step `from` an arm is one that this arm runs itself, and has run before."""
        before: list[str] = []
        for arm, steps in self.arms.items():
            for step in steps:
                runs = [own.recipe for own in self.arms.get(step.source, []) if not own.source]
                if step.source and (step.source not in before or step.recipe not in runs):
                    raise ValueError(
                        f"arm '{arm}' takes {step.recipe} from {step.source!r}, which is no earlier arm that runs it; "
                        f"earlier arms are {', '.join(before) or 'none'}"
                    )
            before.append(arm)

    def report(self) -> Path:
        """Write table.md, metrics.json, report.md and report.html from the finished runs; returns report.html.

        Raises:
            ValueError: an arm has not run.
        """
        from genrec.run.table_report import TableReport

        return TableReport(self).write()


def _linked(place: Path, target: Path) -> Path:
    """A relative link, made unless it is there.

    Raises:
        ValueError: something else lies there.
    """
    if place.is_symlink() and place.readlink() == target:
        return place
    if place.is_symlink() or place.exists():
        raise ValueError(f"'{place}' should be a link to '{target}'; remove what lies there and run the table again")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target, target_is_directory=True)
    return place
