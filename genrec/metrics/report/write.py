"""How does a run become a folder that one can read? metrics.json, report.md, report.html."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genrec.data.files import write_json, write_whole
from genrec.metrics.report.schema import checked, json_values


def write_report(
    folder: str | Path, metrics: Mapping[str, Any], figures: Mapping[str, Any] | None = None
) -> dict[str, Path]:
    """Write the report of a run.

    Args:
        folder: Run folder.
        metrics: Content of metrics.json, see `genrec.metrics.report.schema`.
        figures: What the page draws and shows beside the tables, all optional:
            `logs` {stage: logged steps}, `validation` {stage: scores per step}, `curriculum_mix`
            {"share": [...]}, `index_health` (index/health.json), `examples` (dictionaries with `user`,
            `history`, `target`, `chain` or `stages`, `reasoned`, `direct`), `scaling`
            (`flops` and `value` per checkpoint). `collect_run` reads logs, validation and health of a run folder.

    Returns:
        Path of each file by its name.

    Raises:
        ValueError: `metrics` lacks a section or a row lacks a key.
    """
    from genrec.metrics.report.markdown import render_markdown
    from genrec.metrics.report.page import render_page

    folder = Path(folder)
    plain, drawn = checked(metrics), json_values(figures or {})
    assert isinstance(drawn, dict)
    write_json(folder / "metrics.json", plain)
    write_whole(folder / "report.md", render_markdown(plain, drawn))
    write_whole(folder / "report.html", render_page(plain, drawn))
    return {name: folder / name for name in ("metrics.json", "report.md", "report.html")}
