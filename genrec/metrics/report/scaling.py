"""Does quality grow with compute? A quadratic fit over the logarithm of training operations.

Source: METHODS 1.5 (quality of reasoning against log10 training FLOPs, 6 x parameters x tokens, all stages cumulated).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from genrec.metrics.report.charts import Chart, Line, line_chart

FEWEST_POINTS = 5  # a parabola through fewer says nothing
CLAIM_POINTS = 6
SCALING_METRIC = "Pass@1_expected"  # the one that every validation of a reasoning stage measures


@dataclass(frozen=True)
class ScalingFit:
    """value = a * x**2 + b * x + c with x = log10(FLOPs).

    Attributes:
        coefficients: (a, b, c).
        r_squared: Share of the variance that the fit explains; 1 when all values are equal.
        points: Number of checkpoints.
    """

    coefficients: tuple[float, float, float]
    r_squared: float
    points: int


def training_flops(parameters: int, tokens: int) -> float:
    """Operations of a training stage, 6 x parameters x tokens."""
    return 6.0 * parameters * tokens


def scaling_points(
    stages: Sequence[Mapping[str, Any]], figures: Mapping[str, Any], metric: str
) -> list[dict[str, float]]:
    """What each validated checkpoint had cost, and how good it was.

    Args:
        stages: `stage` and `parameters` of each training stage, in order.
        figures: `logs` {stage: rows with `step` and `num_tokens`} and `validation` {stage: rows with `step` and
            the metric}.
        metric: Column of the validations; rows without it (a stage that does not reason yet) give no point.

    Returns:
        `flops` (of this stage up to the validation and of all stages before) and `value` per checkpoint.
    """
    points, before = [], 0.0
    for stage in stages:
        name, parameters = stage["stage"], int(stage.get("parameters") or 0)
        tokens = {0: 0.0} | {r["step"]: r["num_tokens"] for r in figures["logs"][name] if r.get("num_tokens")}
        for row in figures["validation"][name]:
            seen = max(count for step, count in tokens.items() if step <= row["step"])
            flops = before + training_flops(parameters, int(seen))
            if metric in row and flops > 0:
                points.append({"flops": flops, "value": float(row[metric])})
        before += training_flops(parameters, int(max(tokens.values())))
    return points


def scaling_fit(flops: Sequence[float], values: Sequence[float]) -> ScalingFit | None:
    """Fit a parabola over log10 of the operations.

    Args:
        flops: Cumulated training operations per checkpoint, above 0.
        values: Quality of each checkpoint, e.g. Pass@mean.

    Returns:
        The fit; None with fewer than five different amounts of compute.

    Raises:
        ValueError: Lengths differ, or an amount is not positive.
    """
    if len(flops) != len(values) or any(amount <= 0 for amount in flops):
        raise ValueError(f"{len(flops)} amounts of FLOPs for {len(values)} values; each amount must be above 0")
    if len(set(flops)) < FEWEST_POINTS:
        return None
    x, y = np.log10(np.asarray(flops, dtype=np.float64)), np.asarray(values, dtype=np.float64)
    a, b, c = np.polyfit(x, y, 2)
    left = float(((y - np.polyval([a, b, c], x)) ** 2).sum())
    spread = float(((y - y.mean()) ** 2).sum())
    return ScalingFit((float(a), float(b), float(c)), 1.0 - left / spread if spread > 0 else 1.0, len(x))


def scaling_chart(points: Sequence[Mapping[str, Any]], metric: str = SCALING_METRIC) -> Chart | None:
    """Draw checkpoints and, where there are enough, the fit.

    Args:
        points: `flops` and `value` per checkpoint.
        metric: What the values are.

    Returns:
        The chart; None with fewer than two checkpoints.
    """
    if len(points) < 2:
        return None
    ordered = sorted(points, key=lambda point: float(point["flops"]))
    flops, values = [float(p["flops"]) for p in ordered], [float(p["value"]) for p in ordered]
    x = np.log10(flops)
    lines, fit = [Line("checkpoints", x.tolist(), values, markers=True)], scaling_fit(flops, values)
    caption = f"{len(values)} checkpoints; too few for a fit."
    if fit is not None:
        grid = np.linspace(x[0], x[-1], 60)
        lines.append(Line("quadratic fit", grid.tolist(), np.polyval(fit.coefficients, grid).tolist()))
        few = "" if fit.points >= CLAIM_POINTS else f"; a claim needs {CLAIM_POINTS}"
        caption = f"Quadratic fit over {fit.points} checkpoints, R² {fit.r_squared:.3f}{few}."
    return line_chart(f"{metric} against training compute", lines, "log10 FLOPs, all stages", caption)
