"""Which of several models is better, and is it sure? Runs over seeds, put into one table with paired tests.

Legend: a variant is one config with one seed; n test users, the same for all. Figures are means over seeds with their
standard deviation; a paired test takes each user's NDCG@10, averaged over the seeds, of both models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.files import read_json, write_whole
from genrec.metrics.ranking import ndcg_values
from genrec.metrics.report.columns import FURTHER
from genrec.metrics.report.tables import over_seeds
from genrec.metrics.report.text import in_markdown
from genrec.metrics.report.write import write_report
from genrec.metrics.uncertainty import paired_bootstrap
from genrec.run.provenance import provenance

COLUMNS = (
    "Recall@10", "NDCG@10", "Recall@10_unseen", "NDCG@10_unseen", "NDCG@10_tail_users", "NDCG@10_tail_items",
    "Recall@10_sampled100", "NDCG@10_sampled100",
)  # fmt: skip
LABELS = {
    "Recall@10_sampled100": "Recall@10 (SAMPLED 1 + 100)",
    "NDCG@10_sampled100": "NDCG@10 (SAMPLED 1 + 100)",
}
Row = dict[str, Any]


@dataclass
class Comparison:
    """Configs, seeds, and where their runs lie.

    Attributes:
        configs: YAML files `configs/<system>/<setting>/train.yaml`; the first one is the reference.
        seeds: of every config.
        folder: holds a run folder per variant, and the comparison's own report.
        overrides: command-line words for all variants, such as `--epochs 5`: the equal budget.

    Raises:
        ValueError: fewer than two configs, a config twice, or no seed.
    """

    configs: Sequence[Path]
    seeds: Sequence[int]
    folder: Path
    overrides: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        names = [self.name(config) for config in self.configs]
        if len(names) < 2 or len(set(names)) < len(names):
            raise ValueError(f"a comparison needs at least two different configs, got {names}")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"a comparison needs at least one seed and none twice, got {list(self.seeds)}")

    @staticmethod
    def name(config: Path) -> str:
        """`<system>_<setting>`, and the file's own name where it is not train.yaml."""
        own = "" if config.stem == "train" else f"_{config.stem}"
        return f"{config.parts[-3]}_{config.parts[-2]}{own}" if len(config.parts) >= 3 else config.stem

    @staticmethod
    def system(config: Path) -> str:
        """System of a config, which names its recipe.

        Raises:
            ValueError: the path is not `<system>/<setting>/<file>.yaml`.
        """
        if len(config.parts) < 3:
            raise ValueError(f"config '{config}' does not lie in <system>/<setting>/; the recipe cannot be told")
        return config.parts[-3]

    def variants(self) -> list[tuple[Path, int]]:
        """Configs with seeds; all configs with the first seed come first."""
        return [(config, seed) for seed in self.seeds for config in self.configs]

    def run_dir(self, config: Path, seed: int) -> Path:
        """Run folder of a variant."""
        return self.folder / f"{self.name(config)}_seed{seed}"

    def arguments(self, config: Path, seed: int) -> list[str]:
        """Command line of a variant, behind the recipe's name."""
        run = ["--config", str(config), "--run_dir", str(self.run_dir(config, seed)), "--if_done", "skip"]
        return [*run, *self.overrides, "--seed", str(seed)]

    def report(self) -> Path:
        """Write compare.md, metrics.json, report.md and report.html from the finished variants; returns compare.md.

        Raises:
            ValueError: the runs differ in dataset or test users.
        """
        runs = [read_json(self.run_dir(*variant) / "metrics.json") for variant in self.variants()]
        _check_same_data(runs)
        own = [row for run in runs for row in run["rows"][-1:]]
        for row, (config, _) in zip(own, self.variants(), strict=True):
            row["system"] = f"{row['system']}, {self.name(config)}"
        rows, tests = [*runs[0]["rows"][:-1], *own], self.paired([row["system"] for row in own])
        seconds = sum(run["provenance"]["seconds"] for run in runs)
        origin = {**provenance(), "seeds": list(self.seeds), "seconds": seconds}
        same = {"dataset": runs[0]["dataset"], "protocol": {**runs[0]["protocol"], **_varied(runs)}}
        metrics = {"title": f"Comparison on {runs[0]['dataset']['name']}", **same, "provenance": origin, "rows": rows}
        write_report(self.folder, {**metrics, "paired": tests})
        path = self.folder / "compare.md"
        write_whole(path, comparison_table(rows, tests))
        return path

    def paired(self, systems: Sequence[str]) -> list[Row]:
        """Each config against the first: difference of NDCG@10 with its interval and p-value."""
        values = [self._gains(config) for config in self.configs]
        found = []
        for system, gains in zip(systems[1:], values[1:], strict=False):
            result = paired_bootstrap(gains, values[0])
            ends = {"low": result.difference.low, "high": result.difference.high, "p_value": result.p_value}
            found.append({"system": system, "against": systems[0], "difference": result.difference.mean, **ends})
        return found

    def _gains(self, config: Path) -> NDArray[np.float64]:
        """NDCG@10 of every test user (n,), mean over seeds."""
        files = [self.run_dir(config, seed) / "train" / "ranks.npz" for seed in self.seeds]
        return np.asarray(np.mean([ndcg_values(np.load(file)["ranks"], 10) for file in files], axis=0))


def comparison_table(rows: Sequence[Row], tests: Sequence[Row]) -> str:
    """One Markdown table: mean and standard deviation over seeds, and the paired test against the reference.

    Args:
        rows: rows of metrics.json of all systems and seeds.
        tests: see `Comparison.paired`.

    Returns:
        The table with its legend.
    """
    merged = over_seeds(rows)
    columns = [name for name in COLUMNS if any(name in row for row in merged)]
    by_system = {test["system"]: test for test in tests}
    head = ["system", "seeds", *(LABELS.get(name, name) for name in columns), "NDCG@10 against the reference", "p"]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for row in merged:
        seeds = len(row["seed"]) if isinstance(row["seed"], list) else 1
        cells = [_cell(row, name) for name in columns]
        test = by_system.get(row["system"])
        shown = ["", ""] if test is None else [_difference(test), f"{test['p_value']:.4f}"]
        lines.append("| " + " | ".join([in_markdown(row["system"]), str(seeds), *cells, *shown]) + " |")
    further = _further(merged)
    legend = "Mean ± standard deviation over seeds. The difference carries its 95 % bootstrap interval over users."
    sampled = " SAMPLED columns rank against 100 negatives: never compare them with full ranking."
    return "\n".join([*lines, "", legend + (sampled if columns[-1] in LABELS else ""), "", *further])


def _further(merged: Sequence[Row]) -> list[str]:
    """Lines of the second table, none where no row holds such figures."""
    columns = [name for name in FURTHER if any(row.get(name) is not None for row in merged)]
    if not columns:
        return []
    lines = ["| system | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for row in merged:
        lines.append("| " + " | ".join([in_markdown(row["system"]), *(_cell(row, name) for name in columns)]) + " |")
    return [*lines, ""]


def _cell(row: Row, name: str) -> str:
    """One figure, with its spread where there are several seeds."""
    if row.get(name) is None:
        return ""
    spread = f" ± {row[f'{name}_std']:.4f}" if f"{name}_std" in row else ""
    return f"{row[name]:.4f}{spread}"


def _difference(test: Row) -> str:
    return f"{test['difference']:+.4f} [{test['low']:+.4f}, {test['high']:+.4f}]"


def _varied(runs: Sequence[Row]) -> Row:
    """Protocol entries in which the runs differ, all values named."""
    found = {}
    for key in runs[0]["protocol"]:
        values = list(dict.fromkeys(str(run["protocol"].get(key)) for run in runs))
        if len(values) > 1:
            found[key] = "; ".join(values)
    return found


def _check_same_data(runs: Sequence[Row]) -> None:
    """Paired tests need the same users."""
    seen = {(run["dataset"]["name"], run["rows"][-1]["n_users"], run["protocol"]["split"]) for run in runs}
    if len(seen) > 1:
        raise ValueError(
            f"the runs differ in dataset, test users or split: {sorted(seen)}; compare configs of one dataset"
        )
