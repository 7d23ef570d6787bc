"""What do the figures say? Warnings first: a report that hides a loss is worth nothing.

The last row of our own system in a mode is the checkpoint that would be used; nothing here picks one on test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from genrec.metrics.report.columns import Row, is_baseline, row_name
from genrec.metrics.report.scaling import CLAIM_POINTS, SCALING_METRIC, scaling_fit
from genrec.metrics.report.schema import unrecorded
from genrec.metrics.report.tables import over_seeds

Level = Literal["warning", "good", "loss", "note"]
CLAIM_USERS = 1000


@dataclass(frozen=True)
class Finding:
    """One sentence about a run.

    Args:
        level: "warning" opens the report, "good" and "loss" are results, "note" limits what may be claimed.
        text: The sentence.
    """

    level: Level
    text: str


def findings(metrics: Mapping[str, Any]) -> list[Finding]:
    """Everything worth saying about a run.

    Args:
        metrics: Checked metrics.

    Returns:
        Findings, warnings first.
    """
    rows = over_seeds(metrics["rows"])
    found = [
        *stage_findings(metrics.get("stages") or []),
        *baseline_findings(rows),
        *list_findings(rows),
        *reasoning_findings(rows),
        *drift_findings(rows),
        *scaling_findings(metrics.get("scaling") or []),
    ]
    missing = unrecorded(metrics)
    if missing:
        found.append(Finding("note", f"Not recorded for this run: {', '.join(missing)}."))
    order = {"warning": 0, "good": 1, "loss": 2, "note": 3}
    return sorted(found, key=lambda finding: order[finding.level])


def scaling_findings(points: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """How well does compute explain the quality of the checkpoints?"""
    flops, values = [float(p["flops"]) for p in points], [float(p["value"]) for p in points]
    fit = scaling_fit(flops, values)
    if fit is None:
        return []
    text = f"A parabola over log10 FLOPs of training ({min(flops):.1e} to {max(flops):.1e}) explains {SCALING_METRIC}"
    few = "" if fit.points >= CLAIM_POINTS else f"; a claim needs {CLAIM_POINTS}"
    return [Finding("note", f"{text} of {fit.points} checkpoints with R² {fit.r_squared:.3f}{few}.")]


def stage_findings(stages: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Did each training stage end better than it began, on validation?"""
    found = []
    for stage in stages:
        before, after = stage.get("before"), stage.get("after")
        if before is None or after is None:
            found.append(Finding("note", f"Stage '{stage['stage']}' has no validation before and after."))
        elif after <= before:
            found.append(Finding("warning", _no_gain(stage)))
    judged = [s for s in stages if s.get("before") is not None and s.get("after") is not None]
    if judged and all(stage["after"] > stage["before"] for stage in judged):
        found.append(Finding("good", "Each stage ended better than it began on validation."))
    return found


def _no_gain(stage: Mapping[str, Any]) -> str:
    return (
        f"Stage '{stage['stage']}' did not end better than it began: {stage.get('metric', 'its metric')} on "
        f"validation {stage['before']:.4f} before, {stage['after']:.4f} after."
    )


def baseline_findings(rows: Sequence[Row]) -> list[Finding]:
    """How does direct mode stand against the baselines of the same table?"""
    ours = last_of(rows, "direct")
    if ours is None or ours.get("NDCG@10") is None:
        return []
    baselines = [row for row in rows if is_baseline(row) and row.get("NDCG@10") is not None]
    if not baselines:
        return [Finding("warning", "No baseline stands in this table: Popularity and SASRec are missing.")]
    return [_against(ours, row) for row in baselines]


def _against(ours: Row, baseline: Row) -> Finding:
    """Losing to a trained ranker is said; losing to Popularity is a warning: then nothing was learnt."""
    numbers = f"NDCG@10 {ours['NDCG@10']:.4f} against {baseline['NDCG@10']:.4f}"
    names = row_name(ours), row_name(baseline)
    if ours["NDCG@10"] > baseline["NDCG@10"]:
        return Finding("good", f"{names[0]} beats {names[1]}: {numbers}.")
    simple = names[1].casefold().startswith(("popularity", "random"))
    return Finding("warning" if simple else "loss", f"{names[0]} does not beat {names[1]}: {numbers}.")


def list_findings(rows: Sequence[Row]) -> list[Finding]:
    """Were invalid items or duplicates listed?"""
    ours = [row for row in rows if not is_baseline(row)]
    listed = [row for row in ours if row.get("invalid") is not None]
    if not listed:
        return []
    bad = [row for row in listed if row["invalid"] or row.get("duplicates")]
    if not bad:
        return [Finding("good", "No invalid item and no duplicate in any list.")]
    return [Finding("note" if row.get("constrained") is False else "warning", _bad_lists(row)) for row in bad]


def _bad_lists(row: Row) -> str:
    counts = f"{row['invalid']:,} invalid items, {row.get('duplicates') or 0:,} duplicates"
    return f"{row_name(row)}, {row['mode']}: {counts}."


def reasoning_findings(rows: Sequence[Row]) -> list[Finding]:
    """Is the reasoning sample large enough, and does the chain matter?"""
    row = last_of(rows, "reasoning")
    if row is None:
        return []
    found = []
    users = row.get("n_users") or 0
    if users < CLAIM_USERS:
        text = f"Reasoning was judged on {users:,} users; a claim needs at least {CLAIM_USERS:,}."
        found.append(Finding("note", text))
    own, foreign = row.get("Pass@1_own_chain"), row.get("Pass@1_swapped_chain")
    if own is not None and foreign is not None:
        numbers = f"Pass@1 {own:.4f} behind the user's own chain, {foreign:.4f} behind another user's."
        if own > foreign:
            found.append(Finding("good", f"The chain matters: {numbers}"))
        else:
            found.append(Finding("warning", f"The chain makes no difference: {numbers}"))
    return found


def drift_findings(rows: Sequence[Row]) -> list[Finding]:
    """Did a later stage cost direct mode its longer lists (the known price of reinforcement learning)?"""
    ours = [row for row in rows if not is_baseline(row) and row["mode"] == "direct" and row.get("Recall@50")]
    found = []
    for earlier, later in pairwise(ours):
        if later["Recall@50"] < earlier["Recall@50"]:
            change = 100 * (later["Recall@50"] / earlier["Recall@50"] - 1)
            text = f"{row_name(later)} changes direct Recall@50 by {change:.1f} % against {row_name(earlier)}."
            found.append(Finding("note", text))
    return found


def last_of(rows: Sequence[Row], mode: str) -> Row | None:
    """The last row of our own systems in a mode: the checkpoint that would be used."""
    ours = [row for row in rows if row["mode"] == mode and not is_baseline(row)]
    return ours[-1] if ours else None
