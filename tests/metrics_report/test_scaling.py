"""The scaling fit: exact on a parabola, silent on few points."""

from __future__ import annotations

import pytest

from genrec.metrics.report.scaling import scaling_chart, scaling_fit, training_flops

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
