"""How fast against whom? Benchmarks as one table, and where each figure was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genrec.metrics.report.text import duration, fact, in_markdown, short_facts

ORIGIN = ("command", "revision", "git_revision", "seeds", "seed", "hardware", "machine", "versions")
IN_TABLE = ("what", "ours", "peer", "ratio", "unit", "peer_name", "cases", "provenance", "peak_memory_gib")
SHOWN = {*ORIGIN, *IN_TABLE}


def origin_line(provenance: Mapping[str, Any]) -> str:
    """Command, revision, seeds, hardware, versions, time and memory of a run or a benchmark."""
    facts = []
    for key in ORIGIN:
        if provenance.get(key) not in (None, "", [], {}):
            value = in_markdown(fact(provenance[key]))
            facts.append(f"{key.replace('_', ' ')} {value if key != 'command' else f'`{provenance[key]}`'}")
    if isinstance(provenance.get("seconds"), int | float):
        facts.append(f"wall time {duration(float(provenance['seconds']))}")
    if provenance.get("peak_memory_gib") is not None:
        facts.append(f"peak memory {provenance['peak_memory_gib']:.1f} GiB")
    return f"Measured with: {'; '.join(facts)}.\n" if facts else ""


def bench_section(benches: Mapping[str, Mapping[str, Any]]) -> str:
    """All benchmarks as one table, and below it where each was measured.

    Args:
        benches: Content of bench_*.json by file name.

    Returns:
        The section.
    """
    lines = ["## Speed\n"]
    lines += ["| benchmark | peer | unit | ours | peer's | ratio |", "|---|---|---|---:|---:|---:|"]
    origins = []
    for name, bench in benches.items():
        what = name.removeprefix("bench_")
        lines += [_bench_line(what, {**bench, **case}) for case in bench.get("cases") or [{}]]
        origins.append(f"* {in_markdown(what)}: {_description(bench, f'results/{name}.json')}".rstrip())
    return "\n".join([*lines, "", *origins]) + "\n"


def _bench_line(what: str, case: Mapping[str, Any]) -> str:
    """One line of the table; a setting that is a mapping stands below it instead."""
    label = f"{what}, {case['case']}" if isinstance(case.get("case"), str) else what
    words = [in_markdown(value) for value in (label, case.get("peer_name", ""), case.get("unit", ""))]
    numbers = [_short(case.get(key)) for key in ("ours", "peer", "ratio")]
    return "| " + " | ".join([*words, *numbers]) + " |"


def _short(value: Any) -> str:
    """A measured number with three digits, several of them with their names, text as it is."""
    if isinstance(value, Mapping):
        return ", ".join(f"{in_markdown(key)} {_short(inner)}" for key, inner in value.items())
    return f"{value:.3g}" if isinstance(value, float) else in_markdown(fact(value))


def _description(bench: Mapping[str, Any], file: str) -> str:
    """What was measured, what else the file says about it in a few words, and where."""
    words = [in_markdown(bench["what"])] if bench.get("what") else []
    rest = {key: value for key, value in bench.items() if key not in SHOWN}
    words += [f"{in_markdown(key)} {in_markdown(text)}" for key, text in short_facts(rest, file)]
    text = "; ".join(words)
    return f"{text}. " * bool(text) + origin_line({**(bench.get("provenance") or {}), **bench})
