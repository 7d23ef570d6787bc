"""How much does a model lose when descriptions are wrong? Drops over its own clean run, in one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genrec.metrics.report.text import in_markdown


def drop_table(scores: Mapping[str, Mapping[float, Sequence[float]]], metric: str = "NDCG@10") -> list[dict[str, Any]]:
    """Mean score and relative drop at each share of wrong descriptions.

    Args:
        scores: model to share to one score per seed; share 0 is the clean run.
        metric: name of the score.

    Returns:
        One row per model and share: model, share, metric and `drop`, a share of the clean score (negative: a gain),
        None where the clean score is 0.

    Raises:
        ValueError: a model without a clean run.
    """
    rows = []
    for model, by_share in scores.items():
        if 0.0 not in by_share:
            raise ValueError(f"{model} has no run with clean descriptions (share 0); add 0 to --shares")
        clean = sum(by_share[0.0]) / len(by_share[0.0])
        for share in sorted(by_share):
            mean = sum(by_share[share]) / len(by_share[share])
            rows.append(
                {"model": model, "share": share, metric: mean, "drop": (clean - mean) / clean if clean else None}
            )
    return rows


def markdown(rows: Sequence[Mapping[str, Any]], metric: str = "NDCG@10") -> str:
    """The rows of `drop_table` as a Markdown table."""
    lines = [f"| model | wrong descriptions | {metric} | drop |", "|---|---:|---:|---:|"]
    for row in rows:
        drop = "" if row["drop"] is None else f"{row['drop']:+.1%}"
        lines.append(f"| {in_markdown(row['model'])} | {row['share']:.0%} | {row[metric]:.4f} | {drop} |")
    return "\n".join([*lines, "", "Drop: share of the model's own score with clean descriptions.", ""])
