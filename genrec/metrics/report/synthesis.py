"""What did a language model's texts pass, and what stopped the others? Reject tables of synthesis runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genrec.metrics.report.bench import origin_line
from genrec.metrics.report.text import duration, fact, in_markdown

SHOWN = ("what", "jobs", "trained", "command", "machine", "versions", "revision")


def synthesis_section(found: Mapping[str, Mapping[str, Any]]) -> str:
    """All synthesis runs, a table of jobs and one of reject reasons each.

    Args:
        found: Content of synth_*.json by file name: `what`, `jobs` (`command`, `model`, `asked`, `accepted`,
            `rejected` as counts by reason, `prompt_tokens`, `answer_tokens`, `seconds`), optionally `trained` (what
            was trained on the accepted rows), anything else, and where it was measured.

    Returns:
        The section.
    """
    return "\n".join(["## Texts of language models\n", *[_run(name, content) for name, content in found.items()]])


def _run(name: str, content: Mapping[str, Any]) -> str:
    """One file."""
    lines = [f"### {in_markdown(name)}\n", f"{in_markdown(content['what'])}\n"]
    lines += ["| job | model | rows asked | accepted | tokens in | tokens out | time |", "|---|---|" + "---:|" * 5]
    for job in content["jobs"]:
        numbers = [fact(job[key]) for key in ("asked", "accepted", "prompt_tokens", "answer_tokens")]
        words = [in_markdown(job["command"]), in_markdown(job["model"]), *numbers, duration(job["seconds"])]
        lines.append(f"| {' | '.join(words)} |")
    lines += ["", "| job | reason | answers rejected |", "|---|---|---:|"]
    for job in content["jobs"]:
        for reason, count in sorted(job["rejected"].items(), key=lambda entry: (-entry[1], entry[0])):
            lines.append(f"| {in_markdown(job['command'])} | {in_markdown(reason)} | {fact(count)} |")
    rest = {key: value for key, value in content.items() if key not in SHOWN}
    notes = [f"* {in_markdown(key)}: {in_markdown(fact(value))}" for key, value in rest.items()]
    if content.get("trained"):
        notes.append(f"* trained on the accepted rows: {in_markdown(fact(content['trained']))}")
    return "\n".join([*lines, "", *notes, "", origin_line(content)])
