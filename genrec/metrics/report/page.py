"""What does a user open first? report.html: one file, no network, light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from genrec.metrics.report.charts import Chart
from genrec.metrics.report.columns import is_baseline, number, row_name
from genrec.metrics.report.markdown import chain_parts, health_facts, title_of
from genrec.metrics.report.panels import index_charts, result_chart, training_charts
from genrec.metrics.report.tables import over_seeds, result_tables
from genrec.metrics.report.text import duration, flat_facts, visible
from genrec.metrics.report.verdict import Finding, findings, last_of


def render_page(metrics: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """Write report.html.

    Args:
        metrics: Checked metrics.
        figures: As in `write_report`.

    Returns:
        The page. Text from catalogues and models is escaped by the template; only our own drawings are not.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "visible": visible,
        "duration": duration,
        "figure": lambda value: number("", value),
    }
    template = environment.from_string(_resource("report.html.j2"))
    return template.render(css=_resource("report.css"), **page_parts(metrics, figures))


def page_parts(metrics: Mapping[str, Any], figures: Mapping[str, Any]) -> dict[str, Any]:
    """Everything the template shows.

    Args:
        metrics: Checked metrics.
        figures: As in `write_report`.

    Returns:
        Values by their name in the template.
    """
    rows, found = metrics["rows"], findings(metrics)
    opening = verdict(found)
    health = figures.get("index_health") or {}
    return {
        "title": title_of(metrics),
        "summary": summary(metrics),
        "verdict": opening,
        "findings": [finding for finding in found if finding not in opening],
        "tiles": tiles(metrics),
        "tables": result_tables(rows),
        "result_charts": result_charts(rows),
        "stages": metrics.get("stages") or [],
        "charts": training_charts(figures),
        "health": health_facts({**health, "levels": []}),  # the levels are drawn
        "index_charts": index_charts(health),
        "examples": [{**example, "parts": chain_parts(example)} for example in figures.get("examples") or []],
        "facts": [(name, flat_facts(metrics[name])) for name in ("dataset", "protocol", "provenance")],
        "all_rows": [(f"{row_name(row)}, {row['mode']}", flat_facts(row)) for row in rows],
    }


def summary(metrics: Mapping[str, Any]) -> str:
    """One sentence: what was trained on what."""
    dataset, protocol = metrics["dataset"], metrics["protocol"]
    counts = [
        f"{dataset[key]:,} {key}" for key in ("users", "items", "interactions") if isinstance(dataset.get(key), int)
    ]
    parts = [str(dataset.get("name", "")), ", ".join(counts), str(protocol.get("backbone") or "")]
    return " · ".join(part for part in parts if part)


def verdict(found: Sequence[Finding]) -> list[Finding]:
    """The findings that stand under the title: every warning, else the first two good ones."""
    warnings = [finding for finding in found if finding.level == "warning"]
    return warnings or [finding for finding in found if finding.level == "good"][:2]


def result_charts(rows: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """Bars of the two headline metrics."""
    drawn = [result_chart(rows, "NDCG@10", "direct"), result_chart(rows, "Pass@1", "reasoning")]
    return [chart for chart in drawn if chart is not None]


def tiles(metrics: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Headline numbers (label, number, small print): the last checkpoint in each mode, what the run cost."""
    rows = over_seeds(metrics["rows"])
    made = []
    direct, reasoning = last_of(rows, "direct"), last_of(rows, "reasoning")
    if direct is not None and direct.get("NDCG@10") is not None:
        others = [f"{row_name(r)} {number('', r['NDCG@10'])}" for r in rows if is_baseline(r) and r.get("NDCG@10")]
        made.append((f"NDCG@10, {row_name(direct)}", number("", direct["NDCG@10"]), " · ".join(others)))
    if reasoning is not None and reasoning.get("Pass@1") is not None:
        small = f"{reasoning.get('n_users', '?')} users × {reasoning.get('n_samples', '?')} chains"
        if "Pass@1_low" in reasoning:
            small = f"[{reasoning['Pass@1_low']:.4f}, {reasoning['Pass@1_high']:.4f}], {small}"
        made.append((f"Pass@1, {row_name(reasoning)}", number("", reasoning["Pass@1"]), small))
    listed = [r for r in rows if not is_baseline(r) and r.get("invalid") is not None]
    if listed:
        bad = sum((r["invalid"] or 0) + (r.get("duplicates") or 0) for r in listed)
        made.append(("Invalid or duplicate items", f"{bad:,}", "over all lists of all stages"))
    return [*made, *cost_tiles(metrics["provenance"])]


def cost_tiles(provenance: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Time, memory and machine of the run."""
    seconds, peak = provenance.get("seconds"), provenance.get("peak_memory_gib")
    if seconds is None:
        return []
    memory = f"peak {peak:.1f} GiB" if peak is not None else ""
    return [
        (
            "Wall time",
            duration(float(seconds)),
            " · ".join(x for x in (memory, visible(provenance.get("hardware"))) if x),
        )
    ]


def _resource(name: str) -> str:
    """Text of a file beside this module."""
    return resources.files("genrec.metrics.report").joinpath(name).read_text(encoding="utf-8")
