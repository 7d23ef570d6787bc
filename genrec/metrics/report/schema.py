"""What must metrics.json hold? Its shape, and the list of facts that every report carries.

{"title": ..., "dataset": {...}, "protocol": {...}, "provenance": {...},
 "rows": [{"system", "stage", "mode", "seed", "Recall@10", ...}],
 "stages": [{"stage", "metric", "before", "after", "steps", "seconds", ...}],
 "scaling": [{"flops", "value"}]}; stages and scaling are optional
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

SECTIONS = ("dataset", "protocol", "provenance", "rows")
ROW_KEYS = ("system", "stage", "mode", "seed")

FACTS: Mapping[str, tuple[str, ...]] = {
    "dataset": ("name", "users", "items", "interactions"),
    "protocol": ("split", "ranking", "max_history", "num_beams", "loss", "backbone"),
    "provenance": ("seeds", "revision", "versions", "seconds", "peak_memory_gib", "hardware", "command"),
}
"""Facts that EVALUATION.md asks of every report; the ones a run lacks are named in the report."""


def checked(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Check the shape and make every value writable as JSON.

    Args:
        metrics: As above; further keys are kept.

    Returns:
        A copy in which numpy scalars are numbers and NaN is None.

    Raises:
        ValueError: A section or a row key is missing.
    """
    missing = [name for name in SECTIONS if name not in metrics]
    if missing:
        raise ValueError(f"metrics lacks {', '.join(missing)}; metrics.json needs {', '.join(SECTIONS)}")
    for number, row in enumerate(metrics["rows"]):
        absent = [key for key in ROW_KEYS if key not in row]
        if absent:
            raise ValueError(f"row {number} of metrics lacks {', '.join(absent)}; it has {', '.join(list(row)[:8])}")
    plain = json_values(metrics)
    assert isinstance(plain, dict)
    return plain


def json_values(value: Any) -> Any:
    """Turn numpy scalars and arrays, tuples, paths and NaN into JSON values, recursively."""
    if isinstance(value, Mapping):
        return {str(key): json_values(inner) for key, inner in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return value
    if hasattr(value, "tolist"):
        return json_values(value.tolist())
    if isinstance(value, Sequence):
        return [json_values(inner) for inner in value]
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


def unrecorded(metrics: Mapping[str, Any]) -> list[str]:
    """Name the facts that a report should carry and this one does not.

    Args:
        metrics: Checked metrics.

    Returns:
        "section.fact" for each absent or empty one.
    """
    return [
        f"{section}.{fact}"
        for section, facts in FACTS.items()
        for fact in facts
        if metrics[section].get(fact) in (None, "", [], {})
    ]
