"""How does a run read in a terminal or on a code host? report.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genrec.metrics.report.columns import number
from genrec.metrics.report.tables import Table, result_tables
from genrec.metrics.report.text import duration, in_markdown, short_facts, visible
from genrec.metrics.report.verdict import Finding, findings


def render_markdown(metrics: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    """Write report.md.

    Args:
        metrics: Checked metrics.
        figures: As in `write_report`; drawings are in report.html only.

    Returns:
        The document; warnings stand at its very top.
    """
    found = findings(metrics)
    parts = [
        warning_block(found),
        f"# {in_markdown(title_of(metrics))}\n",
        finding_list(found),
        *[markdown_table(table) for table in result_tables(metrics["rows"])],
        stage_table(metrics.get("stages") or []),
        health_list(figures.get("index_health") or {}),
        example_list(figures.get("examples") or []),
        *[_facts(name, metrics[name]) for name in ("dataset", "protocol", "provenance")],
        "Curves and drawings are in report.html beside this file, all figures in metrics.json.\n",
    ]
    return "\n".join(part for part in parts if part)


def title_of(metrics: Mapping[str, Any]) -> str:
    """Title of the run, made from its dataset when it has none."""
    return str(metrics.get("title") or f"Run on {metrics['dataset'].get('name', 'unnamed data')}")


def warning_block(found: Sequence[Finding]) -> str:
    """Warnings as a quote; empty when there is none."""
    lines = [f"> **Warning.** {in_markdown(f.text)}" for f in found if f.level == "warning"]
    return "\n>\n".join(lines) + "\n" if lines else ""


def finding_list(found: Sequence[Finding]) -> str:
    """What else the figures say."""
    lines = [f"* {in_markdown(f.text)}" for f in found if f.level != "warning"]
    return "\n".join(lines) + "\n" if lines else ""


def markdown_table(table: Table, heading: str = "##") -> str:
    """Write a table; the best of a column is bold.

    Args:
        table: The table.
        heading: Marks of the heading line.

    Returns:
        Heading and table.
    """
    lines = [f"{heading} {table.title}\n", "| | " + " | ".join(table.columns) + " |"]
    lines.append("|---|" + "---:|" * len(table.columns))
    for name, cells in zip(table.names, table.cells, strict=True):
        texts = [f"**{cell.text}**" if cell.best else cell.text for cell in cells]
        lines.append(f"| {in_markdown(name)} | " + " | ".join(texts) + " |")
    return "\n".join(lines) + "\n"


def stage_table(stages: Sequence[Mapping[str, Any]]) -> str:
    """Training stages: validation before and after, steps, time."""
    if not stages:
        return ""
    lines = ["## Training stages\n", "| stage | on validation | before | after | best step | steps | time |"]
    lines.append("|---|---|---:|---:|---:|---:|---:|")
    for stage in stages:
        cells = [number("", stage.get(key)) for key in ("before", "after", "chosen_step", "steps")]
        seconds = stage.get("seconds")
        cells.append("" if seconds is None else duration(seconds))
        head = f"| {in_markdown(stage['stage'])} | {in_markdown(stage.get('metric'))} | "
        lines.append(head + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def health_facts(health: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Headline facts of an index as pairs.

    Args:
        health: Content of index/health.json.

    Returns:
        (name, value) pairs; what the file lacks is left out.
    """
    facts = []
    if "collision_rate_before" in health:
        facts.append(("items that collided before repair", f"{100 * health['collision_rate_before']:.1f} %"))
        facts.append(("items moved to be unique", f"{health['items_moved']:,}"))
    error = (health.get("reconstruction") or {}).get("share_of_variance")
    if error is not None:
        facts.append(("variance left by the codes", f"{100 * error:.1f} %"))
    for level in (health.get("levels") or [])[:8]:
        facts.append(
            (
                f"codes used, {level['size']} at hand",
                f"{level['used']:,}, perplexity {level['perplexity']:.0f}",
            )
        )
    if "hash" in health:
        facts.append(("index", visible(health["hash"])))
    return facts


def health_list(health: Mapping[str, Any]) -> str:
    """Index health as a list."""
    lines = [f"* {in_markdown(name)}: {in_markdown(value)}" for name, value in health_facts(health)]
    return "## Index health\n\n" + "\n".join(lines) + "\n" if lines else ""


def example_list(examples: Sequence[Mapping[str, Any]]) -> str:
    """Users with history, chain, lists and the truth."""
    if not examples:
        return ""
    return "## Examples\n\n" + "\n".join(_example(number, example) for number, example in enumerate(examples, 1))


def _example(place: int, example: Mapping[str, Any]) -> str:
    lines = [f"### {place}. User {in_markdown(example.get('user', place))}\n"]
    lines.append(f"* history: {', '.join(in_markdown(title) for title in example.get('history', []))}")
    lines.append(f"* next in truth: {in_markdown(example.get('target'))}")
    for name, text in chain_parts(example):
        lines.append(f"* {in_markdown(name)}: {in_markdown(text)}")
    for mode in ("reasoned", "direct"):
        items = [
            f"**{in_markdown(i['title'])}**" if i.get("hit") else in_markdown(i["title"]) for i in example.get(mode, [])
        ]
        if items:
            lines.append(f"* {mode}: {'; '.join(items)}")
    return "\n".join(lines) + "\n"


STAGE_NAMES = {
    "1": "evidence", "2": "preferences", "3": "intent", "4": "recommendation", "5": "history, denoised",
}  # fmt: skip


def chain_parts(example: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The chain of an example as (stage, text) pairs; one pair "chain" when it has no stages."""
    stages = example.get("stages") or {}
    if stages:
        return [(STAGE_NAMES.get(str(key), str(key)), visible(text)) for key, text in stages.items()]
    return [("chain", visible(example["chain"]))] if example.get("chain") else []


def _facts(name: str, section: Mapping[str, Any]) -> str:
    lines = [f"* {in_markdown(key)}: {in_markdown(value)}" for key, value in short_facts(section, "metrics.json")]
    return f"## {name.capitalize()}\n\n" + "\n".join(lines) + "\n" if lines else ""
