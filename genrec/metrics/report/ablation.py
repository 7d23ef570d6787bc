"""What is one setting worth? Values of a setting side by side, at the same budget, on validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from genrec.metrics.report.bench import origin_line
from genrec.metrics.report.columns import number
from genrec.metrics.report.text import duration, fact, in_markdown

Row = Mapping[str, Any]


def ablation_section(ablations: Mapping[str, Mapping[str, Any]]) -> str:
    """All ablations, a table each.

    Args:
        ablations: Content of ablation_*.json by file name: `setting` (the setting that is varied), `what`, `metrics`
            (columns, the one that chooses first), `rows` (`value`, `seed`, `steps`, `seconds`, the metrics) and where
            it was measured.

    Returns:
        The section.
    """
    return "\n".join(["## Ablations, on validation\n", *[_table(content) for content in ablations.values()]])


def _table(content: Mapping[str, Any]) -> str:
    metrics = list(content["metrics"])
    lines = [f"### {in_markdown(content['setting'])}\n", f"{in_markdown(content['what'])}\n"]
    lines += ["| value | " + " | ".join(metrics) + " | seeds | steps | time |", "|---|" + "---:|" * (len(metrics) + 3)]
    groups = by_value(content["rows"])
    best = {metric: max(mean(row[metric] for row in rows) for rows in groups.values()) for metric in metrics}
    for value, rows in groups.items():
        cells = [_cell(metric, [row[metric] for row in rows], best[metric]) for metric in metrics]
        spent = duration(mean(row["seconds"] for row in rows))
        lines.append(
            f"| {in_markdown(value)} | {' | '.join(cells)} | {len(rows)} | {fact(rows[0]['steps'])} | {spent} |"
        )
    return "\n".join([*lines, "", origin_line(content)])


def by_value(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows of each value, in order of first appearance; the seeds of a value stand together."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(str(row["value"]), []).append(row)
    return groups


def _cell(metric: str, values: Sequence[float], best: float) -> str:
    """Mean, with the standard deviation over seeds where there are several; the best mean is bold."""
    spread = f" ± {number(metric, stdev(values))}" if len(values) > 1 else ""
    text = f"{number(metric, mean(values))}{spread}"
    return f"**{text}**" if mean(values) == best else text
