"""Time and memory before a long stage."""

import pytest

from genrec.run.estimate import Estimate, memory_gib, probe_flops


def test_flops_are_six_per_trained_and_two_per_generated_token():
    work = Estimate(parameters=10, train_tokens=100, generate_tokens=50, flops_per_second=1.0, memory_gib=0.0)
    assert work.flops == 6 * 10 * 100 + 2 * 10 * 50


def test_time_divides_by_the_share_of_speed():
    work = Estimate(1_000_000, 1_000_000, 0, flops_per_second=1e10, memory_gib=0.0)
    assert work.seconds == pytest.approx(6e12 / (0.6 * 1e10))


def test_the_text_names_tokens_and_memory():
    text = str(Estimate(2_000_000, 1000, 0, 1e9, 1.25))
    assert "2.0 M parameters" in text
    assert "1,000 training tokens" in text
    assert "1.2 GiB" in text


def test_memory_counts_weights_gradients_and_moments():
    without_rows = memory_gib(2**28, 2**28, 0, 0, 0, 0, 0)
    assert without_rows == pytest.approx(4.0 + 0.8)  # 2^28 weights x 4 numbers x 4 bytes = 4 GiB


def test_the_probe_measures_something():
    assert probe_flops("cpu", size=64, repeats=2) > 1e6
