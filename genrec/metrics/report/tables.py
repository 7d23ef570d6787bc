"""How do rows become tables? Seeds put together, columns chosen, the best value marked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from genrec.metrics.report.columns import (
    COLD,
    DIRECT,
    FEEDBACK,
    FURTHER,
    GROUPS,
    LABELS,
    QUALITY,
    REASONING,
    REASONS,
    Row,
    number,
    row_name,
)


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
