"""The probability of an answer is the share of draws in which the sampler writes it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genrec.decoding.answers import answer_probabilities, draw_probabilities
from genrec.decoding.constraint import AnswerConstraint
from genrec.decoding.processors import TrieLogitsProcessor
from genrec.decoding.sampling import SampleSettings, sample_completions

END = 1
SHARES = torch.tensor([[0.5, 0.3, 0.2, 0.0]])


def test_temperature_and_nucleus_by_hand():
    def shares(temperature, top_p):
        return draw_probabilities(SHARES.log(), temperature, top_p)[0].tolist()

    assert shares(1.0, 1.0) == pytest.approx([0.5, 0.3, 0.2, 0.0])
    assert shares(1.0, 0.7) == pytest.approx([0.625, 0.375, 0.0, 0.0])  # .5 is too little, .5 + .3 is enough
    assert shares(1.0, 0.5) == pytest.approx([1.0, 0.0, 0.0, 0.0])
    assert shares(0.5, 1.0) == pytest.approx([25 / 38, 9 / 38, 4 / 38, 0.0])  # squares
    assert shares(0.0, 0.1) == [1.0, 0.0, 0.0, 0.0]


@pytest.fixture
def constraint(trie):
    return AnswerConstraint(trie, (), (), (), END)


def answers_of(codes):
    return [[int(code) for code in row if code >= 0] for row in codes]


@pytest.mark.parametrize("heat", [{}, {"temperature": 0.7, "top_p": 0.8}])
def test_probabilities_of_the_catalogue_sum_to_one_and_match_the_sampler(model, codes, prompts, constraint, heat):
    ids, mask = prompts
    asked = [ids[row][mask[row] == 1].tolist() for row in range(len(ids))]
    answers = answers_of(codes)
    found = np.stack(
        [
            answer_probabilities(model, [prompt] * len(answers), answers, constraint, pad_id=0, batch_size=37, **heat)
            for prompt in asked
        ]
    )
    assert found.sum(axis=1) == pytest.approx(np.ones(len(asked)), abs=1e-5)
    draws, settings = 3000, SampleSettings(8, (END,), 0, heat.get("temperature", 1.0), heat.get("top_p", 1.0))
    processors = [TrieLogitsProcessor(constraint, ids.shape[1])]
    drawn = sample_completions(model, ids[:1], mask[:1], settings, processors, num_samples=draws, seed=3).tokens
    written = [tuple(token for token in row if token not in (0, END)) for row in drawn.tolist()]
    seen = np.array([written.count(tuple(answer)) for answer in answers]) / draws
    assert np.abs(seen - found[0]).max() < 5 * np.sqrt(0.25 / draws)
    assert (seen[found[0] == 0] == 0).all()


def test_a_batch_of_answers_of_different_lengths_is_each_alone(model, codes, prompts, constraint):
    answers = sorted(answers_of(codes), key=len)
    mixed = [answers[0], answers[-1], answers[0]]
    asked = [[3, 4, 9], [5], [3, 4, 9, 9]]
    together = answer_probabilities(model, asked, mixed, constraint, pad_id=0)
    alone = [answer_probabilities(model, [p], [a], constraint, pad_id=0)[0] for p, a in zip(asked, mixed, strict=True)]
    assert len(answers[0]) < len(answers[-1])
    assert together == pytest.approx(alone, rel=1e-4)


def test_an_answer_outside_the_tree_is_named(model, constraint):
    with pytest.raises(ValueError, match=r"no answer \[20, 59\]"):
        answer_probabilities(model, [[3]], [[20, 59]], constraint, pad_id=0)
