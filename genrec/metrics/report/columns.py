"""Which figures make which table, and how is a number written?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

Row = Mapping[str, Any]

BASELINES = ("popularity", "sasrec", "gru4rec", "bert4rec", "random")
"""A system whose name begins like this is a baseline, whatever its case."""

DIRECT = (
    "Recall@1", "Recall@5", "Recall@10", "Recall@50", "NDCG@10", "Recall@10_unseen", "NDCG@10_unseen",
    "Recall@10_sampled100", "NDCG@10_sampled100", "Coverage@10", "Div@10", "Popularity@10", "invalid", "duplicates",
)  # fmt: skip
REASONING = (
    "Pass@1", "Pass@5", "Pass@10", "Pass@mean", "Pass@1_expected", "Pass@5_expected", "Pass@10_expected",
    "Pass@mean_expected", "Pass@1_ranked", "Pass@5_ranked", "Pass@10_ranked",
    "Recall@10_chain_beam", "Pass@1_own_chain", "Pass@1_swapped_chain", "format_rate", "invalid_share", "duplicates",
    "n_users", "n_samples",
)  # fmt: skip
GROUPS = tuple(
    f"{metric}@10_{group}"
    for group in ("head_users", "tail_users", "head_items", "tail_items")
    for metric in ("Recall", "NDCG")
)

FURTHER = (
    "CrossCat@10", "attention_by_cosine", "NDCG@10_short", "NDCG@10_short_truncated", "Recall@10_short_truncated",
    "NDCG@10_dense", "Recall@10_dense", "NDCG@10_drift", "Recall@10_new_behaviour", "Completion@10",
    "Kept@random_noise", "Kept@popular_noise", "Separation",
)  # fmt: skip
"""What GRASP and CoRec add to the rows of their runs."""
COLD = (
    "HR@10_regular", "NDCG@10_regular", "HR@10_new_users", "NDCG@10_new_users", "HR@10_new_items", "NDCG@10_new_items",
    "NewShare@10", "Entropy@10", "vocabulary_seconds", "index_seconds", "train_seconds",
    "seconds_to_equal",
)  # fmt: skip
REASONS = (
    "BLEU-4", "ROUGE-L", "reason_accuracy", "reason_accuracy_checked", "reason_accuracy_own",
    "reason_accuracy_own_checked", "item_accuracy", "rewritten_share", "dropped_share", "writer_failures", "n_users",
)  # fmt: skip
FEEDBACK = (
    "HR@10_turn0", "HR@10_turn1", "HR@10_turn2", "HR@10_turn3", "gain_turn1", "gain_turn2", "gain_turn3", "n_users",
)  # fmt: skip

LABELS = {
    "Recall@10_unseen": "Recall@10 unseen",
    "NDCG@10_unseen": "NDCG@10 unseen",
    "Recall@10_sampled100": "Recall@10 (sampled 1 + 100)",
    "NDCG@10_sampled100": "NDCG@10 (sampled 1 + 100)",
    "Coverage@10": "Coverage",
    "Popularity@10": "Mean popularity",
    "Pass@mean": "Pass mean",
    "Pass@1_expected": "Pass@1, expected",
    "Pass@5_expected": "Pass@5, expected",
    "Pass@10_expected": "Pass@10, expected",
    "Pass@mean_expected": "Pass mean, expected",
    "Pass@1_ranked": "Pass@1 ranked",
    "Pass@5_ranked": "Pass@5 ranked",
    "Pass@10_ranked": "Pass@10 ranked",
    "Recall@10_chain_beam": "Recall@10, chain + beam",
    "Pass@1_own_chain": "Pass@1, own chain",
    "Pass@1_swapped_chain": "Pass@1, foreign chain",
    "format_rate": "Format",
    "invalid_share": "Invalid",
    "invalid": "Invalid items",
    "duplicates": "Duplicates",
    "n_users": "Users",
    "n_samples": "Chains each",
    "HR@10_regular": "HR@10 regular",
    "NDCG@10_regular": "NDCG@10 regular",
    "HR@10_new_users": "HR@10 new users",
    "HR@10_new_items": "HR@10 new items (cold recall)",
    "NewShare@10": "New items listed",
    "Entropy@10": "Exposure entropy, bits",
    "vocabulary_seconds": "Vocabulary, s",
    "index_seconds": "RQ index, s",
    "train_seconds": "Training, s",
    "seconds_to_equal": "Training to equal validation quality, s",
    "reason_accuracy": "True reasons",
    "reason_accuracy_checked": "True reasons, checked",
    "reason_accuracy_own": "True of the item itself",
    "reason_accuracy_own_checked": "True of the item itself, checked",
    "writer_failures": "Answers that were no list",
    "item_accuracy": "Items retrieved",
    "rewritten_share": "Reasons rewritten",
    "dropped_share": "Items dropped",
}
SHARES = {
    "format_rate", "invalid_share", "Coverage@10", "NewShare@10", "reason_accuracy", "reason_accuracy_checked",
    "item_accuracy", "rewritten_share", "dropped_share", "reason_accuracy_own", "reason_accuracy_own_checked",
}  # fmt: skip
QUALITY = ("Recall", "NDCG", "HR", "Pass", "Coverage", "Div", "format_rate", "BLEU", "ROUGE", "reason_accuracy")
"""Columns that begin like this are better when larger, so the best value is marked."""


@dataclass(frozen=True)
class Cell:
    """One cell: its text and whether it is the best of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Table:
    """A table ready to be written: column labels, and per row its labels and cells."""

    title: str
    columns: list[str]
    names: list[str]
    cells: list[list[Cell]]


def is_baseline(row: Row) -> bool:
    """Whether a row judges a baseline and not one of our systems."""
    return str(row["system"]).casefold().startswith(BASELINES)


def row_name(row: Row) -> str:
    """Name of a row: system and, for our own, the stage."""
    return f"{row['system']} {row['stage']}".strip()


def over_seeds(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Put rows that differ in their seed only into one.

    Args:
        rows: Rows of metrics.json.

    Returns:
        One row per (system, stage, mode) in order of appearance; with several seeds each figure is their
        mean, `<figure>_std` the standard deviation, and `seed` lists them.
    """
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[str(row["system"]), str(row["stage"]), str(row["mode"])].append(row)
    return [dict(group[0]) if len(group) == 1 else _merged(group) for group in groups.values()]


def _merged(group: Sequence[Row]) -> dict[str, Any]:
    """Mean and standard deviation of rows with different seeds."""
    merged: dict[str, Any] = dict(group[0])
    for name in [key for key, value in group[0].items() if isinstance(value, float)]:
        values = [float(row[name]) for row in group if isinstance(row.get(name), int | float)]
        merged[name] = mean(values)
        merged[f"{name}_std"] = stdev(values) if len(values) > 1 else 0.0
    for name in ("invalid", "duplicates"):
        if name in merged:
            merged[name] = sum(int(row.get(name, 0)) for row in group)
    return {**merged, "seed": [row["seed"] for row in group]}


def make_table(title: str, rows: Sequence[Row], columns: Sequence[str]) -> Table | None:
    """Lay rows out.

    Args:
        title: Caption.
        rows: Rows of metrics.json, one per (system, stage, mode).
        columns: Figures wanted; those that no row holds are left out.

    Returns:
        The table; None without rows or figures.
    """
    shown = [name for name in columns if any(row.get(name) is not None for row in rows)]
    if not rows or not shown:
        return None
    best = {name: _best(name, rows) for name in shown}
    cells = [[_cell(name, row, best[name]) for name in shown] for row in rows]
    labels = [LABELS.get(name, name.replace("_", " ")) for name in shown]
    return Table(title, labels, [row_name(row) for row in rows], cells)


def _best(name: str, rows: Sequence[Row]) -> float | None:
    """Largest value of a quality column, None where nothing is to be marked."""
    values = [float(row[name]) for row in rows if isinstance(row.get(name), int | float)]
    wanted = name.startswith(QUALITY) and name != "Pass@1_swapped_chain"
    marked = wanted and len(values) > 1 and max(values) > min(values)
    return max(values) if marked else None


def _cell(name: str, row: Row, best: float | None) -> Cell:
    value = row.get(name)
    text = number(name, value)
    if f"{name}_std" in row:
        text += f" ± {row[f'{name}_std']:.4f}"
    elif f"{name}_low" in row and value is not None:
        text += f" [{row[f'{name}_low']:.4f}, {row[f'{name}_high']:.4f}]"
    return Cell(text, best is not None and value == best)


def number(name: str, value: Any) -> str:
    """Write one figure.

    Args:
        name: Its column.
        value: Number, text or None.

    Returns:
        Shares as per cent, counts with separators, metrics with four decimals, nothing for None.
    """
    if value is None:
        return ""
    if isinstance(value, bool | str):
        return str(value)
    if name in SHARES:
        return f"{100 * value:.1f} %"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.4f}"


def result_tables(rows: Sequence[Row]) -> list[Table]:
    """The tables of a report: direct mode, reasoning mode, head and tail.

    Args:
        rows: Rows of metrics.json.

    Returns:
        Those that have content.
    """
    merged = over_seeds(rows)
    of = {mode: [row for row in merged if row["mode"] == mode] for mode in ("reasoning", "reasons", "feedback")}
    direct = [row for row in merged if row["mode"] not in of]
    cold = [row for row in direct if any(name.endswith(("_new_users", "_new_items")) for name in row)]
    made = [
        make_table("Direct mode, all users, full catalogue", direct, DIRECT),
        make_table("Reasoning mode, fixed sample of users", of["reasoning"], REASONING),
        make_table("Cold start: new users, new items, everybody else", cold, COLD),
        make_table("Reasons", of["reasons"], REASONS),
        make_table("After feedback, simulated users", of["feedback"], FEEDBACK),
        make_table("Head and tail, direct mode", direct, GROUPS),
        make_table("Scenes and further figures", direct, FURTHER),
    ]
    return [table for table in made if table is not None]
