"""How chains are drawn: our settings only, log-probabilities that add up, chains that close in time."""

from __future__ import annotations

import pytest
import torch
from recommend_toys import toy_model
from transformers import GenerationConfig

from gream.recommend.processors import CloseChain
from gream.recommend.sampling import (
    SamplingConfig,
    draw,
    generation_config,
    own_generation_config,
    until_end,
)

PAD, END, MARKER = 0, 2, 9


def test_tokens_count_up_to_and_including_the_first_end():
    completions = torch.tensor([[5, END, END, 0], [5, 6, 7, 8], [END, 5, 6, 7]])
    assert until_end(completions, [END]).tolist() == [
        [True, True, False, False],
        [True, True, True, True],
        [True, False, False, False],
    ]


def drawn(temperature, **kwargs):
    model = toy_model(40)
    prompts = torch.tensor([[3, 4, 5], [PAD, 6, 7]])
    mask = torch.tensor([[1, 1, 1], [0, 1, 1]])
    config = SamplingConfig(temperature, 1.0, 6, seed=1)
    settings = generation_config(config, kwargs.pop("n", 1), [END], PAD)
    return model, prompts, mask, draw(kwargs.pop("model", model), prompts, mask, settings, [], config.seed)


def test_recorded_log_probabilities_equal_those_of_a_forward_pass():
    model, prompts, mask, (completions, real, log_probs) = drawn(0.7)
    ids = torch.cat([prompts, completions], dim=1)
    whole = torch.cat([mask, torch.ones_like(completions)], dim=1)
    positions = (whole.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        logits = model(ids, attention_mask=whole, position_ids=positions).logits[:, prompts.shape[1] - 1 : -1]
    steps = logits.log_softmax(-1).gather(2, completions[..., None])[..., 0]
    torch.testing.assert_close(log_probs, (steps * real).sum(1), rtol=0, atol=1e-4)


def test_the_same_seed_draws_the_same_and_leaves_the_global_generator_alone():
    torch.manual_seed(123)
    before = torch.get_rng_state()
    first, second = drawn(1.0, n=3)[3], drawn(1.0, n=3)[3]
    assert torch.equal(first[0], second[0])
    drawing_model = toy_model(40)  # seeds the generator itself, so compare around draw only
    torch.set_rng_state(before)
    config = generation_config(SamplingConfig(1.0, 1.0, 4), 1, [END], PAD)
    draw(drawing_model, torch.tensor([[3]]), torch.tensor([[1]]), config, [], 5)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_the_model_folder_asks_for_changes_nothing():
    plain = drawn(0.7)[3]
    hostile = toy_model(40)
    hostile.generation_config = GenerationConfig(
        repetition_penalty=9.0, suppress_tokens=list(range(3, 30)), min_new_tokens=6, no_repeat_ngram_size=1,
        forced_eos_token_id=END, top_k=1, pad_token_id=PAD,
    )  # fmt: skip
    theirs = drawn(0.7, model=hostile)[3]
    assert torch.equal(plain[0], theirs[0])
    assert hostile.generation_config.repetition_penalty == 9.0


def test_the_model_folders_settings_return_after_an_error():
    model = toy_model(40)
    theirs = model.generation_config
    with pytest.raises(RuntimeError), own_generation_config(model, PAD):
        raise RuntimeError
    assert model.generation_config is theirs


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
        generation_config(SamplingConfig(temperature=0), 4, [END], PAD)
