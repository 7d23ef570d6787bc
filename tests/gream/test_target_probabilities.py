"""The probability of a target behind a chain, and the score that chooses reasoning weights."""

import numpy as np
import pytest

from gream.evaluate.chain_worth import target_probabilities


def test_the_probability_is_that_of_the_target_and_zero_outside_the_list():
    items = np.array([[3, 1], [2, -1]])
    scores = np.array([[np.log(0.5), np.log(0.2)], [np.log(0.9), -np.inf]])
    assert target_probabilities(items, scores, np.array([1, 7])) == pytest.approx([0.2, 0.0])
