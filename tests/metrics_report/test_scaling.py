"""The scaling fit: exact on a parabola, silent on few points."""

from __future__ import annotations

import math

import pytest

from genrec.metrics.report.scaling import scaling_chart, scaling_fit, scaling_points, training_flops
from genrec.metrics.report.verdict import scaling_findings

FLOPS = [10.0**e for e in (12, 13, 14, 15, 16, 17)]


def test_training_flops_are_six_per_parameter_and_token():
    assert training_flops(3_000_000, 1_000_000) == 1.8e13


def test_a_parabola_is_found_exactly():
    fit = scaling_fit(FLOPS, [2 * e * e - 3 * e + 1 for e in (12, 13, 14, 15, 16, 17)])
    assert fit.coefficients == pytest.approx((2.0, -3.0, 1.0), rel=1e-6)
    assert fit.r_squared == pytest.approx(1.0)
    assert fit.points == 6


def test_r_squared_is_the_share_of_variance_explained():
    fit = scaling_fit(FLOPS[:5], [-1.0, 1.0, 0.0, -1.0, 1.0])
    # sum x y with x = -2..2 is 2 - 1 + 0 - 1 + 2 = 2, slope 0.2, explained 0.2^2 * 10 = 0.4
    # quadratic part: (x^2 - 2) y = -2 - 1 + 0 + 1 + 2 = 0; total 4
    assert fit.r_squared == pytest.approx(0.4 / 4)


def test_four_amounts_of_compute_are_too_few_for_a_fit():
    assert scaling_fit(FLOPS[:4], [1, 2, 3, 4]) is None
    assert scaling_fit([1e12] * 6, [1, 2, 3, 4, 5, 6]) is None


def test_amounts_that_are_not_positive_are_refused():
    with pytest.raises(ValueError, match="above 0"):
        scaling_fit([0.0] * 5, [1.0] * 5)


def test_the_chart_says_how_good_the_fit_is_or_that_there_is_none():
    points = [{"flops": f, "value": float(i)} for i, f in enumerate(FLOPS)]
    assert "R² 1.000." in scaling_chart(points).caption
    assert "a claim needs 6" in scaling_chart(points[:5]).caption
    assert "too few for a fit" in scaling_chart(points[:3]).caption
    assert scaling_chart(points[:1]) is None


def test_points_cumulate_the_operations_of_all_stages_before():
    stages = [{"stage": "align", "parameters": 10}, {"stage": "reason", "parameters": 10}]
    logs = {"align": [{"step": 5, "num_tokens": 100}], "reason": [{"step": 2, "num_tokens": 40}, {"step": 3, "x": 1}]}
    validation = {
        "align": [{"step": 5, "NDCG@10": 0.3}],
        "reason": [{"step": 0, "Pass@1": 0.0}, {"step": 1, "Pass@1": 0.1}, {"step": 3, "Pass@1": 0.2}],
    }
    points = scaling_points(stages, {"logs": logs, "validation": validation}, "Pass@1")
    # 6 * 10 * 100 = 6,000 of alignment; 40 tokens of reasoning are seen from step 2 on: 6 * 10 * 40 = 2,400
    assert [point["flops"] for point in points] == [6000, 6000, 8400]
    assert [point["value"] for point in points] == [0.0, 0.1, 0.2]


def test_the_fit_is_a_finding_of_the_report():
    points = [{"flops": flops, "value": math.log10(flops) ** 2} for flops in FLOPS]
    (found,) = scaling_findings(points)
    assert found.level == "note"
    assert found.text.endswith(f"of {len(FLOPS)} checkpoints with R² 1.000.")
    assert "(1.0e+12 to 1.0e+17)" in found.text
    assert scaling_findings(points[:5])[0].text.endswith("R² 1.000; a claim needs 6.")
    assert scaling_findings(points[:4]) == []
    assert scaling_findings([]) == []
