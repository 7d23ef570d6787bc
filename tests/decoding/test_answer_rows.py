"""One step of an engine: what is allowed, what is left, how it is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genrec.decoding.constraint import AnswerConstraint
from genrec.decoding.engines.answer_rows import AnswerRow, draw, leave_one
from genrec.decoding.engines.protocol import AnswerSettings
from genrec.decoding.trie import Trie

CLOSE, EOS = 10, 11
CODES = [[20, 30], [20, 31], [21, 30], [22, -1]]
GREEDY = AnswerSettings(temperature=0.0, max_tokens=12, deadline=4, padded=(38, 40))


def constraint(start: object = CLOSE) -> AnswerConstraint:
    return AnswerConstraint(Trie.from_codes(CODES), start, [13, 14], [15, 16], EOS)  # type: ignore[arg-type]


def allowed_after(tokens: list[int], settings: AnswerSettings = GREEDY, start: object = CLOSE) -> list[int] | None:
    row = AnswerRow(settings, tokens, constraint(start))
    row.catch_up()
    return row.allowed()


def test_a_row_is_free_then_tags_item_tags_and_end_follow():
    answer = [CLOSE, 13, 14, 20, 31, 15, 16, EOS]
    found = [allowed_after([5, 6, *answer[:count]]) for count in range(9)]
    assert found == [None, [13], [14], [20, 21, 22], [30, 31], [15], [16], [EOS], [EOS]]
    assert allowed_after([CLOSE, 13, 14, 22]) == [15], "a short code ends where its leaf is"


def test_it_agrees_with_the_constraint_of_generate_at_every_step():
    tokens = [5, CLOSE, 13, 14, 21, 30, 15, 16, EOS]
    for count in range(len(tokens) + 1):
        wanted = constraint().allowed(tokens[:count])
        assert allowed_after(tokens[:count]) == (None if wanted is None else wanted.tolist())


def test_an_open_chain_is_closed_at_the_deadline_with_a_marker_of_any_length():
    assert allowed_after([5, 6, 7]) is None
    assert allowed_after([5, 6, 7, 8]) == [CLOSE]
    assert allowed_after([5, 6, 7, 8], start=[8, 9]) == [8]
    assert allowed_after([5, 6, 7, 8, 8], start=[8, 9]) == [9]
    assert allowed_after([5, 6, 7, 8, 8, 9], start=[8, 9]) == [13]
    assert allowed_after([], start=[]) == [13], "without a marker the answer begins at once"
    open_end = AnswerSettings(max_tokens=12, close=False, deadline=4)
    assert allowed_after([5, 6, 7, 8], open_end) is None


def test_what_is_left_of_a_row_is_the_drawn_token_with_its_log_probability_under_the_constraint():
    logits = torch.zeros(2, 40)
    logits[0, 39], logits[0, EOS], logits[0, 7] = 9.0, 8.0, 1.0  # padded, forbidden end, best of the rest
    logits[1, 5], logits[1, 21] = 9.0, 2.0
    tokens = [[5], [CLOSE, 13, 14]]
    left = leave_one(logits.clone(), [AnswerRow(GREEDY, t, constraint()) for t in tokens])
    assert left.argmax(-1).tolist() == [7, 21]
    assert torch.isfinite(left).sum(-1).tolist() == [1, 1]
    assert float(left[0, 7]) == pytest.approx(1 - np.log(36 + np.e), abs=1e-5)  # 40 - 2 padded - end = 37 tokens
    assert float(left[1, 21]) == pytest.approx(2 - np.log(2 + np.e**2), abs=1e-5)


def test_draws_follow_temperature_and_nucleus_and_repeat_with_their_seed():
    log_probs = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()

    def counts(temperature: float, top_p: float) -> np.ndarray:
        settings = AnswerSettings(temperature, top_p, 1, False)
        rows = [AnswerRow(settings.of(0, sample), [], constraint()) for sample in range(4000)]
        drawn = draw(log_probs.expand(4000, 4), rows)
        assert torch.equal(drawn, draw(log_probs.expand(4000, 4), rows))
        return np.bincount(drawn.numpy(), minlength=4) / 4000

    np.testing.assert_allclose(counts(1.0, 0.6), [0.625, 0.375, 0, 0], atol=0.03)
    squares = np.array([0.25, 0.09, 0.0225, 0.0025])
    np.testing.assert_allclose(counts(0.5, 1.0), squares / squares.sum(), atol=0.03)
    assert counts(0.0, 1.0)[0] == 1


def test_an_engine_that_leaves_the_trie_is_told():
    with pytest.raises(ValueError, match="token 33 leads nowhere"):
        allowed_after([CLOSE, 13, 14, 33])
