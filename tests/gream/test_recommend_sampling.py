"""How chains are drawn: settings within their range, chains that close in time."""

from __future__ import annotations

import pytest
import torch

from gream.recommend.processors import CloseChain
from gream.recommend.sampling import SamplingConfig

PAD, END, MARKER = 0, 2, 9


def test_an_open_chain_may_not_end_and_is_closed_at_the_deadline():
    close = CloseChain([MARKER], END, prompt_length=1, deadline=2)
    scores = torch.zeros(2, 12)
    early = close(torch.tensor([[1, 5], [1, MARKER]]), scores)
    assert early[0, END] == float("-inf")
    assert early[1, END] == 0
    late = close(torch.tensor([[1, 5, 6], [1, MARKER, 6]]), scores)
    assert late[0].isfinite().nonzero().flatten().tolist() == [MARKER]
    assert late[1].isfinite().all()


def test_a_marker_of_two_tokens_is_written_one_by_one():
    close = CloseChain([8, 9], END, prompt_length=0, deadline=1)
    scores = torch.zeros(1, 12)
    assert close(torch.tensor([[5]]), scores)[0].isfinite().nonzero().flatten().tolist() == [8]
    assert close(torch.tensor([[5, 8]]), scores)[0].isfinite().nonzero().flatten().tolist() == [9]
    assert close(torch.tensor([[5, 8, 9]]), scores).isfinite().all()


@pytest.mark.parametrize(
    ("values", "message"),
    [({"temperature": -1}, "greedy"), ({"top_p": 0.0}, "top_p"), ({"max_new_tokens": 0}, "max_new_tokens")],
)
def test_sampling_settings_out_of_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        SamplingConfig(**values)


def test_several_greedy_samples_are_refused():
    with pytest.raises(ValueError, match="all the same"):
        SamplingConfig(temperature=0).settings(4, END, PAD)
