"""What did the stages of a run leave behind? Their logs, validations and facts, read for the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genrec.data.files import read_json, read_jsonl
from genrec.metrics.report.scaling import SCALING_METRIC, scaling_points

STAGES = ("align", "reason", "srpo")
STAGE_FACTS = (
    "metric", "before", "after", "chosen_step", "steps", "parameters", "tokens", "total_flos",
)  # fmt: skip


def collect_run(run_dir: str | Path, stages: Sequence[str] = STAGES) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Read what the training stages of a run folder wrote.

    Args:
        run_dir: Holds a folder per stage (stage.json, log.jsonl, validation.json) and index/health.json.
        stages: Stages in order; one that did not run is left out.

    Returns:
        `stages` for metrics.json, and `figures` for `write_report` (logs, validation, scaling, index_health).
    """
    run_dir = Path(run_dir)
    present = [name for name in stages if (run_dir / name / "stage.json").is_file()]
    figures: dict[str, Any] = {
        "logs": {name: read_jsonl(run_dir / name / "log.jsonl") for name in present},
        "validation": {name: _json_or(run_dir / name / "validation.json", []) for name in present},
    }
    health = run_dir / "index" / "health.json"
    if health.is_file():
        figures["index_health"] = read_json(health)
    facts = [_stage(run_dir / name, name) for name in present]
    if points := scaling_points(facts, figures, SCALING_METRIC):
        figures["scaling"] = points
    return facts, figures


def _stage(folder: Path, name: str) -> dict[str, Any]:
    """Facts of one stage out of stage.json."""
    state = dict(read_json(folder / "stage.json"))
    facts = dict(state.get("facts") or {})
    peak = (state.get("provenance") or {}).get("peak_memory_gib")
    kept = {key: facts[key] for key in STAGE_FACTS if key in facts}
    return {"stage": name, **kept, "seconds": state.get("seconds"), "peak_memory_gib": peak}


def _json_or(path: Path, default: Any) -> Any:
    return read_json(path) if path.is_file() else default
