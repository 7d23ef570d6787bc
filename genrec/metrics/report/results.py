"""What do the measured files in results/ say? RESULTS.md and the README table, rendered and never typed.

`results/<system>_<setting>.json` is the metrics.json of the run that was measured.
`results/ablation_<what>.json` compares values of one setting (recipes/gream_ablate.py).
`results/study_<base>.json` compares ways of RL from one checkpoint (recipes/gream_study.py).
`results/bench_<what>.json` holds ours, peer, ratio, machine, versions and revision of a benchmark, or several
of them under "cases".
`results/synth_<what>.json` holds the reject tables of a synthesis run.

Run `python -m genrec.metrics.report.results` to write both, with `--check` to compare only.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genrec.data.files import read_json, write_whole
from genrec.metrics.report.ablation import ablation_section
from genrec.metrics.report.bench import bench_section, origin_line
from genrec.metrics.report.columns import number, row_name
from genrec.metrics.report.markdown import finding_list, markdown_table, title_of, warning_block
from genrec.metrics.report.schema import checked
from genrec.metrics.report.study import study_section
from genrec.metrics.report.synthesis import synthesis_section
from genrec.metrics.report.tables import over_seeds, result_tables
from genrec.metrics.report.text import fact, in_markdown
from genrec.metrics.report.verdict import findings

BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
README_COLUMNS = ("Recall@10", "NDCG@10", "Recall@10_unseen", "Pass@1", "Pass@mean", "invalid", "duplicates")
INTRODUCTION = """# Results

Rendered by `make results` from the files in `results/`, each the `metrics.json` of the run that was measured.
"""
NOTHING = "No run has been committed to `results/` yet; `make demo` writes one to `runs/`.\n"
Named = Mapping[str, Mapping[str, Any]]


KINDS = ("ablation", "bench", "study", "synth")


def read_results(folder: str | Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Read a results folder.

    Args:
        folder: Folder with *.json; one that is missing holds nothing.

    Returns:
        The files' content by kind ("run" and those of `KINDS`), then by name of the file, in order of name.

    Raises:
        ValueError: A file is not JSON, or a run lacks a section of metrics.json; the file is named.
    """
    found = {path.stem: dict(read_json(path)) for path in sorted(Path(folder).glob("*.json"))}
    kinds: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in ("run", *KINDS)}
    for name, content in found.items():
        kind = name.split("_", 1)[0]
        kinds[kind if kind in KINDS else "run"][name] = content if kind in KINDS else _run(name, content)
    return kinds


def _run(name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return checked(content)
    except ValueError as error:
        raise ValueError(f"results/{name}.json: {error}") from error


def render_results(folder: str | Path) -> tuple[str, str]:
    """Render a results folder.

    Args:
        folder: Folder with *.json.

    Returns:
        The text of RESULTS.md, and the table for README.md.
    """
    found = read_results(folder)
    parts = [INTRODUCTION, *[_section(name, run) for name, run in found["run"].items()]]
    parts += [ablation_section(found["ablation"])] if found["ablation"] else []
    parts += [study_section(found["study"])] if found["study"] else []
    parts += [synthesis_section(found["synth"])] if found["synth"] else []
    parts += [bench_section(found["bench"])] if found["bench"] else []
    parts += [] if any(found.values()) else [NOTHING]
    return "\n".join(parts), readme_table(found["run"])


def _section(name: str, run: Mapping[str, Any]) -> str:
    """One run: what it was, its warnings, its tables, where it comes from."""
    found = findings(run)
    parts = [f"## {in_markdown(title_of(run))} (`{name}`)\n", _facts(run), warning_block(found)]
    parts += [markdown_table(table, "###") for table in result_tables(run["rows"])]
    parts += [finding_list(found), origin_line(run["provenance"])]
    return "\n".join(part for part in parts if part)


def _facts(run: Mapping[str, Any]) -> str:
    """Dataset and protocol on two lines."""
    lines = []
    for section in ("dataset", "protocol"):
        flat = {key: value for key, value in run[section].items() if not isinstance(value, Mapping | list)}
        lines.append(f"* {section}: {in_markdown(fact(flat))}")
    return "\n".join(lines) + "\n"


def readme_table(runs: Named) -> str:
    """One line per system, stage and mode of every run.

    Args:
        runs: metrics.json by file name.

    Returns:
        A Markdown table, or a sentence when nothing is measured.
    """
    rows = [(name, row) for name, run in runs.items() for row in over_seeds(run["rows"])]
    if not rows:
        return NOTHING
    shown = [column for column in README_COLUMNS if any(row.get(column) is not None for _, row in rows)]
    lines = [
        "| setting | system | mode | " + " | ".join(shown) + " |",
        "|---|---|---|" + "---:|" * len(shown),
    ]
    for name, row in rows:
        cells = [number(column, row.get(column)) for column in shown]
        lines.append(f"| {name} | {in_markdown(row_name(row))} | {row['mode']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def between_markers(text: str, table: str) -> str:
    """Put the table into README.md.

    Args:
        text: README.md.
        table: What stands between the markers afterwards.

    Returns:
        The new text.

    Raises:
        ValueError: A marker is missing, or the two stand in the wrong order.
    """
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        raise ValueError(f"README.md needs the lines '{BEGIN}' and '{END}', in this order; put them back")
    return f"{text[: begin + len(BEGIN)]}\n{table}{text[end:]}"


def rendered(root: str | Path) -> dict[Path, str]:
    """Both documents as they should be.

    Args:
        root: Folder with results/ and README.md.

    Returns:
        Path to text; README.md only where there is one.
    """
    root = Path(root)
    document, table = render_results(root / "results")
    readme = root / "README.md"
    texts = {root / "RESULTS.md": document}
    if readme.is_file():
        texts[readme] = between_markers(readme.read_text(encoding="utf-8"), table)
    return texts


def main(arguments: Sequence[str] | None = None) -> int:
    """Write both documents, or say whether they are up to date.

    Args:
        arguments: Command line; None takes it from the process.

    Returns:
        0, or 1 with `--check` when a document differs.
    """
    parser = argparse.ArgumentParser(description="Render RESULTS.md and the README table from results/*.json.")
    parser.add_argument("--root", default=".", help="folder with results/ and README.md (default: here)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a document differs")
    options = parser.parse_args(arguments)
    texts = rendered(options.root)
    stale = {p: t for p, t in texts.items() if not p.is_file() or p.read_text(encoding="utf-8") != t}
    if options.check:
        if stale:
            sys.stderr.write(f"out of date: {', '.join(path.name for path in stale)}; run `make results`\n")
        return int(bool(stale))
    for path, text in stale.items():
        write_whole(path, text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
