"""Facts about bootstrap intervals."""

import numpy as np
import pytest

from genrec.metrics.uncertainty import bootstrap_means, mean_ci, paired_bootstrap


def test_interval_of_a_hit_rate_is_close_to_the_normal_one():
    hits = np.zeros(10_000)
    hits[:500] = 1  # mean 0.05, standard error sqrt(0.05 * 0.95 / 10000) = 0.00218
    interval = mean_ci(hits)
    assert interval.mean == 0.05
    assert interval.n == 10_000
    assert interval.low == pytest.approx(0.05 - 1.96 * 0.00218, abs=4e-4)
    assert interval.high == pytest.approx(0.05 + 1.96 * 0.00218, abs=4e-4)
    assert str(interval).startswith("0.0500 [0.04")


def test_interval_does_not_depend_on_order_and_repeats_with_the_seed():
    values = np.random.default_rng(0).normal(size=200)
    assert mean_ci(values) == mean_ci(values[::-1])
    assert mean_ci(values).low != mean_ci(values, seed=1).low


def test_equal_values_have_an_interval_of_width_zero():
    interval = mean_ci([0.25] * 8)
    assert (interval.low, interval.high) == (0.25, 0.25)


@pytest.mark.parametrize("distinct", [100, 400], ids=["as multinomials", "one by one"])
def test_bootstrap_means_have_the_right_spread_in_chunks(monkeypatch, distinct):
    monkeypatch.setattr("genrec.metrics.uncertainty.CHUNK_CELLS", 1000)
    values = np.tile(np.arange(distinct, dtype=float), 2)
    means = bootstrap_means(values, samples=500, seed=0)
    assert len(means) == 500
    assert means.mean() == pytest.approx(values.mean(), rel=0.02)
    assert means.std() == pytest.approx(values.std() / np.sqrt(2 * distinct), rel=0.15)


def test_a_clear_difference_is_found_and_noise_is_not():
    random = np.random.default_rng(0)
    base = random.normal(size=2000)
    better = paired_bootstrap(base + 0.1 + random.normal(scale=0.2, size=2000), base)
    assert better.p_value == 1 / 2000
    assert better.difference.low > 0
    same = paired_bootstrap(base + random.normal(scale=0.2, size=2000), base)
    assert same.p_value > 0.05
    assert same.difference.low < 0 < same.difference.high


def test_identical_systems_have_p_value_one():
    assert paired_bootstrap([1.0, 0.0, 1.0], [1.0, 0.0, 1.0]).p_value == 1.0


def test_wrong_calls_are_refused():
    with pytest.raises(ValueError, match="same users"):
        paired_bootstrap([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="at least one value"):
        mean_ci([])
    with pytest.raises(ValueError, match="level"):
        mean_ci([1.0], level=95)
