"""The sampler: hand-derived draws, the same tokens as `generate` where both are greedy, rows that leave early."""

from __future__ import annotations

import pytest
import torch
from transformers import GenerationConfig

from genrec.decoding import sampling
from genrec.decoding.constraint import AnswerConstraint
from genrec.decoding.processors import TrieLogitsProcessor
from genrec.decoding.sampling import SampleSettings, inverse_cdf, nucleus_pick, sample_completions

END, PAD = 2, 0


def settings(**changes):
    return SampleSettings(**{"max_new_tokens": 12, "end_ids": (END, 5, 7), "pad_id": PAD} | changes)


def padded(prompts):
    """Left-padded ids and mask of token lists."""
    width = max(map(len, prompts))
    ids = torch.tensor([[PAD] * (width - len(p)) + p for p in prompts])
    return ids, torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])


PROMPTS = padded([[3, 4, 9], [6, 8], [11], [12, 13, 14, 15], [16, 17]])


def test_a_uniform_number_picks_the_entry_it_falls_into():
    weights = torch.tensor([[1.0, 0.0, 3.0]]).repeat(5, 1)  # a quarter, nothing, three quarters
    assert inverse_cdf(weights, torch.tensor([0.0, 0.2499, 0.25, 0.5, 1 - 2**-24])).tolist() == [0, 0, 2, 2, 2]


def test_an_entry_without_weight_at_the_end_is_never_picked():
    assert inverse_cdf(torch.tensor([[0.1, 0.2, 0.0]]), torch.tensor([1 - 2**-24])).tolist() == [1]


def test_the_nucleus_is_the_smallest_set_that_reaches_top_p():
    logits = torch.tensor([[0.1, 0.5, 0.15, 0.25]]).log().repeat(4, 1)
    # 0.5 + 0.25 reach 0.7; within the two, 2/3 falls to token 1 and the rest to token 3
    assert nucleus_pick(logits, 0.7, torch.tensor([0.0, 0.66, 0.67, 0.999])).tolist() == [1, 1, 3, 3]
    assert nucleus_pick(logits, 0.5, torch.tensor([0.0, 0.5, 0.9, 0.999])).tolist() == [1, 1, 1, 1]


def test_wide_and_narrow_nuclei_of_one_batch_are_both_exact():
    flat, sharp = torch.zeros(2000), torch.full((2000,), -20.0)
    sharp[1234] = 5.0
    uniform = torch.linspace(0, 0.9999, 400)
    drawn = nucleus_pick(torch.stack([flat, sharp]).repeat(400, 1), 0.9, uniform.repeat_interleave(2)).view(400, 2)
    assert (drawn[:, 1] == 1234).all()
    assert len(drawn[:, 0].unique()) == 400  # 1,800 equal tokens: 400 spread numbers find 400 of them
    narrow = nucleus_pick(flat[None].repeat(400, 1), 0.0099, uniform)
    assert len(narrow.unique()) == 20  # the nucleus of 1 % of 2,000 equal tokens


def test_drawn_shares_are_the_probabilities():
    logits = torch.tensor([[0.6, 0.1, 0.3]]).log().repeat(20_000, 1)
    uniform = torch.rand(20_000, generator=torch.Generator().manual_seed(0))
    shares = nucleus_pick(logits, 1.0, uniform).bincount(minlength=3) / 20_000
    torch.testing.assert_close(shares, torch.tensor([0.6, 0.1, 0.3]), atol=0.012, rtol=0)


def test_greedy_tokens_are_those_of_generate(model):
    ids, mask = PROMPTS
    ours = sample_completions(model, ids, mask, settings(temperature=0))
    theirs = model.generate(
        input_ids=ids,
        attention_mask=mask,
        generation_config=GenerationConfig(
            do_sample=False, max_new_tokens=12, eos_token_id=[END, 5, 7], pad_token_id=PAD
        ),
    )[:, ids.shape[1] :]
    assert ours.tokens.tolist() == theirs.tolist()
    assert not ours.real.all()  # some row ended early, or this says nothing of ends


def test_rows_that_leave_the_batch_change_nothing(model, monkeypatch):
    results = []
    for shrink in (0.0, 1.0):  # never, and as soon as a row ends
        monkeypatch.setattr(sampling, "SHRINK", shrink)
        results.append(sample_completions(model, *PROMPTS, settings(), num_samples=6, seed=3))
    lengths = results[0].real.sum(1)
    assert lengths.min() < lengths.max()
    assert torch.equal(results[0].tokens, results[1].tokens)
    torch.testing.assert_close(results[0].log_probs, results[1].log_probs, atol=1e-4, rtol=0)


def test_log_probabilities_are_those_of_a_forward_pass_at_temperature_one(model):
    ids, mask = PROMPTS
    drawn = sample_completions(model, ids, mask, settings(temperature=0.7, top_p=0.9), num_samples=2, seed=1)
    whole = torch.cat([ids.repeat_interleave(2, 0), drawn.tokens], dim=1)
    seen = torch.cat([mask.repeat_interleave(2, 0), drawn.real.long()], dim=1)
    with torch.no_grad():
        positions = (seen.cumsum(1) - 1).clamp(min=0)
        logits = model(whole, attention_mask=seen, position_ids=positions).logits[:, ids.shape[1] - 1 : -1]
    steps = logits.log_softmax(-1).gather(2, drawn.tokens[..., None])[..., 0]
    torch.testing.assert_close(drawn.log_probs, (steps * drawn.real).sum(1), rtol=0, atol=1e-4)


def test_the_seed_alone_decides_and_the_global_generator_stays(model):
    before = torch.get_rng_state()
    first, second, other = (sample_completions(model, *PROMPTS, settings(), num_samples=3, seed=s) for s in (4, 4, 5))
    assert torch.equal(first.tokens, second.tokens)
    assert not torch.equal(first.tokens[:, :1], other.tokens[:, :1])
    assert torch.equal(torch.get_rng_state(), before)


def test_what_the_model_folder_asks_for_changes_nothing(model, monkeypatch):
    plain = sample_completions(model, *PROMPTS, settings(), seed=2)
    monkeypatch.setattr(
        model, "generation_config", GenerationConfig(repetition_penalty=9.0, suppress_tokens=list(range(30)), top_k=1)
    )
    assert torch.equal(plain.tokens, sample_completions(model, *PROMPTS, settings(), seed=2).tokens)


def test_constrained_samples_are_items_of_the_catalogue(model, trie, codes):
    constraint = AnswerConstraint(trie, [], [30], [31], END)
    ids, mask = PROMPTS
    drawn = sample_completions(
        model, ids, mask, settings(end_ids=(END,)), [TrieLogitsProcessor(constraint, ids.shape[1])], num_samples=8
    )
    items = {tuple(code[code >= 0].tolist()) for code in codes}
    for tokens, real in zip(drawn.tokens, drawn.real, strict=True):
        row = tokens[real].tolist()
        assert (row[0], row[-2], row[-1]) == (30, 31, END)
        assert tuple(row[1:-2]) in items


def test_a_watch_hears_every_token_and_may_end_completions(model):
    heard = []

    def watch(tokens, lengths):
        heard.append((tokens.shape[1], int(lengths[0])))
        return torch.arange(len(tokens)) == (2 if tokens.shape[1] == 3 else -1)

    plain = sample_completions(model, *PROMPTS, settings(end_ids=(59,)), seed=1)
    ended = sample_completions(model, *PROMPTS, settings(end_ids=(59,)), seed=1, watch=watch)
    assert heard[:3] == [(1, 1), (2, 2), (3, 3)]
    assert ended.real.sum(1).tolist() == [3 if row == 2 else int(n) for row, n in enumerate(plain.real.sum(1))]
    assert torch.equal(ended.tokens[3], plain.tokens[3])


@pytest.mark.parametrize("budget", [1, 2])
def test_the_budget_is_kept(model, budget):
    drawn = sample_completions(model, *PROMPTS, settings(max_new_tokens=budget, end_ids=(59,)))
    assert drawn.tokens.shape == (5, budget)
    assert drawn.real.all()
