"""What do the measured files in results/ say, as RESULTS.md and as the table in README.md?

`results/<system>_<setting>.json` is the metrics.json of the measured run, `results/bench_<what>.json`
what a benchmark found. No number in the two documents is typed by hand; a test holds them equal to the files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- results:begin -->", "<!-- results:end -->"
IDENTITY = ("benchmark", "system", "stage", "mode", "seed")
FACTS = ("dataset", "protocol", "provenance")
IN_README = ("Recall@10", "NDCG@10", "Pass@1", "Pass@4", "invalid")
INTRODUCTION = """# Results

Rendered by `make results` from the files in `results/`, each the `metrics.json` of the run that was measured.
"""
NOTHING = "No run has been committed to `results/` yet; `make demo` writes one to `runs/`.\n"


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Render rows as a Markdown table.

    Args:
        rows: One mapping per line; a missing value becomes an empty cell.
        columns: The keys to show, in order.

    Returns:
        The table, numbers right-aligned, with a closing newline.
    """
    numeric = {c for c in columns if any(isinstance(row.get(c), float | int) for row in rows)}
    lines = [
        "| " + " | ".join(columns) + " |",
        "|" + "|".join("---:" if c in numeric else "---" for c in columns) + "|",
    ]
    lines += ["| " + " | ".join(_cell(row.get(c)) for c in columns) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the keys of all rows: what identifies a row first, then the scalar metrics as they appear."""
    found = dict.fromkeys(key for row in rows for key in row if not isinstance(row[key], dict | list))
    return [c for c in IDENTITY if c in found] + [c for c in found if c not in IDENTITY]


def readme_table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Render the short table: one line per system, stage and mode of every measured setting."""
    rows = [{"setting": name, **row} for name, result in results.items() for row in result["rows"]]
    if not rows:
        return NOTHING
    shown = [c for c in ("setting", "system", "stage", "mode", *IN_README) if any(c in row for row in rows)]
    return table(rows, shown)


def document(results: Mapping[str, Mapping[str, Any]], benches: Mapping[str, Mapping[str, Any]]) -> str:
    """Render RESULTS.md.

    Args:
        results: `{file stem: metrics.json}`.
        benches: `{file stem: benchmark json with ours, peer and ratio}`.

    Returns:
        The whole document.
    """
    parts = [INTRODUCTION] if results or benches else [INTRODUCTION, NOTHING]
    for name, result in results.items():
        facts = [f"* {key}: {_facts(result[key])}\n" for key in FACTS if result.get(key)]
        parts += [f"## {name}\n", "".join(facts), table(result["rows"], columns_of(result["rows"]))]
    if benches:
        rows = [{"benchmark": name.removeprefix("bench_"), **benches[name]} for name in benches]
        parts += ["## Speed\n", table(rows, columns_of(rows))]
    return "\n".join(parts)


def between_markers(text: str, body: str) -> str:
    """Replace what stands between the two markers.

    Raises:
        ValueError: A marker is missing or the two stand in the wrong order.
    """
    begin, end = text.find(BEGIN), text.find(END)
    if begin < 0 or end < begin:
        raise ValueError(f"README.md needs the lines '{BEGIN}' and '{END}', in this order; put them back")
    return f"{text[: begin + len(BEGIN)]}\n{body}{text[end:]}"


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read (results, benchmarks) from a folder, each `{file stem: content}` in order of name."""
    paths = sorted(folder.glob("*.json"))
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}
    benches = {name: found[name] for name in found if name.startswith("bench_")}
    return {name: found[name] for name in found if name not in benches}, benches


def rendered(root: Path = ROOT) -> dict[Path, str]:
    """Return `{path: text}` of the two documents as they should be."""
    results, benches = read(root / "results")
    readme = root / "README.md"
    text = between_markers(readme.read_text(encoding="utf-8"), readme_table(results))
    return {root / "RESULTS.md": document(results, benches), readme: text}


def main() -> None:
    """Write both documents, or with `--check` only say whether they are up to date."""
    stale = {p: t for p, t in rendered().items() if not p.exists() or p.read_text(encoding="utf-8") != t}
    if "--check" in sys.argv[1:]:
        raise SystemExit(f"run `make results`: {[p.name for p in stale]} out of date" if stale else 0)
    for path, text in stale.items():
        path.write_text(text, encoding="utf-8")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def _facts(value: Any) -> str:
    """Render a flat mapping as 'key value, key value'; nested parts are left to the json file."""
    if not isinstance(value, Mapping):
        return _cell(value)
    flat = {key: v for key, v in value.items() if not isinstance(v, Mapping | list)}
    return ", ".join(f"{key} {_cell(v)}" for key, v in flat.items())


if __name__ == "__main__":
    main()
