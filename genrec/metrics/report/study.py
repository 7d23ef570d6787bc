"""Does RL pay? Arms of a study against the checkpoint that all start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from genrec.metrics.report.bench import origin_line
from genrec.metrics.report.text import in_markdown

FORM = ("format_rate", "distinct_items", "chain_tokens")
SURE = 0.05


def study_section(studies: Mapping[str, Mapping[str, Any]]) -> str:
    """All studies: differences with their intervals, then what collapses or grows beside them.

    Args:
        studies: Content of study_*.json by file name: `what`, `rows` (a checkpoint each: `arm`, `seed`, figures),
            `differences` (`arm`, `metric`, `before`, `after`, `low`, `high`, `p_value`, `seeds`) and where it was
            measured.

    Returns:
        The section.
    """
    return "\n".join(["## RL studies, on test users\n", *[_study(name, content) for name, content in studies.items()]])


def _study(name: str, content: Mapping[str, Any]) -> str:
    parts = [
        f"### {in_markdown(name)}\n",
        f"{in_markdown(content['what'])}. 95 % intervals: paired bootstrap over users.\n",
    ]
    return "\n".join([*parts, _differences(content["differences"]), _form(content["rows"]), origin_line(content)])


def _differences(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| arm | metric | curriculum | after | difference | relative | p | seeds |", "|---|---|" + "---:|" * 6]
    for row in rows:
        change = f"{row['difference']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}]"
        relative = f"{row['difference'] / row['before']:+.1%}" if row["before"] else ""
        if row["p_value"] < SURE:
            change = f"**{change}**"
        lines.append(
            f"| {in_markdown(row['arm'])} | {row['metric']} | {row['before']:.4f} | {row['after']:.4f} | {change} | "
            f"{relative} | {row['p_value']:.4f} | {row['seeds']} |"
        )
    return "\n".join([*lines, ""])


def _form(rows: Sequence[Mapping[str, Any]]) -> str:
    """Means over seeds of what tells a collapse: form, distinct items per user, length; spread of Pass@mean."""
    lines = ["| arm | seeds | " + " | ".join(FORM) + " | Pass@mean |", "|---|" + "---:|" * (len(FORM) + 2)]
    for arm in dict.fromkeys(row["arm"] for row in rows):
        mine = [row for row in rows if row["arm"] == arm]
        cells = [f"{mean(row[name] for row in mine):.3f}" for name in FORM]
        values = [row["Pass@mean"] for row in mine]
        spread = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
        lines.append(f"| {in_markdown(arm)} | {len(mine)} | {' | '.join(cells)} | {mean(values):.4f}{spread} |")
    return "\n".join([*lines, ""])
