"""Facts about trie beam search, against exhaustive scoring and transformers' own beam search."""

import logging

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, Qwen2Config, Qwen2ForCausalLM

from genrec.decoding.batching import search_prompts
from genrec.decoding.beam import trie_beam_search
from genrec.decoding.caches import supports_tree
from genrec.decoding.trie import Trie


def expected_ranking(scores, excluded=()):
    """Items by falling score without the excluded ones."""
    return [item for item in np.argsort(-scores).tolist() if item not in excluded]


@pytest.mark.parametrize("cache", ["tree", "repeat"])
def test_wide_beam_equals_exhaustive_scoring(model, trie, prompts, exhaustive, cache):
    found = trie_beam_search(model, *prompts, trie, num_beams=500, cache=cache)
    count = trie.num_items
    for row in range(4):
        assert found.items[row, :count].tolist() == expected_ranking(exhaustive[row])
        expected = torch.from_numpy(np.sort(exhaustive[row])[::-1].copy()).float()
        torch.testing.assert_close(found.scores[row, :count], expected, atol=1e-4, rtol=1e-5)
    assert (found.items[:, count:] == -1).all()
    assert torch.isinf(found.scores[:, count:]).all()


@pytest.mark.parametrize("cache", ["tree", "repeat"])
def test_exclusion_is_exact_even_when_whole_subtrees_are_excluded(model, codes, trie, prompts, exhaustive, cache):
    first = {item for item, code in enumerate(codes) if code[0] == codes[0][0]}
    exclude = [set(), {0, 1, 2}, first, set(range(trie.num_items)) - {5}]
    found = trie_beam_search(model, *prompts, trie, 500, 500, exclude, cache=cache)
    for row in range(4):
        valid = found.items[row][found.items[row] >= 0].tolist()
        assert valid == expected_ranking(exhaustive[row], exclude[row])


def test_excluding_everything_returns_nothing(model, trie, prompts):
    found = trie_beam_search(model, *prompts, trie, 3, exclude=[set(range(trie.num_items))] * 4)
    assert (found.items == -1).all()


def test_narrow_beam_spends_no_beam_on_an_excluded_subtree(model, prompts):
    trie = Trie.from_codes([[20, 30], [20, 31], [21, 30], [22, 30]])
    found = trie_beam_search(model, *prompts, trie, 2, exclude=[{0, 1}] * 4)
    assert {frozenset(row.tolist()) for row in found.items} == {frozenset({2, 3})}


def test_narrow_beam_equals_generate_with_prefix_function(model, prompts):
    random = np.random.default_rng(5)
    codes = np.unique(random.integers(20, 30, size=(200, 3)), axis=0)
    trie = Trie.from_codes(codes)
    ids, mask = prompts
    width, beams = ids.shape[1], 6
    out = model.generate(
        ids,
        attention_mask=mask,
        num_beams=beams,
        num_return_sequences=beams,
        max_new_tokens=3,
        do_sample=False,
        length_penalty=0.0,
        eos_token_id=None,
        pad_token_id=0,
        prefix_allowed_tokens_fn=lambda row, tokens: trie.children(tokens[width:].tolist()).tolist(),
        return_dict_in_generate=True,
        output_scores=True,
    )
    theirs = [trie.leaf_item(sequence[width:].tolist()) for sequence in out.sequences]
    ours = trie_beam_search(model, ids, mask, trie, beams)
    assert ours.items.flatten().tolist() == theirs
    torch.testing.assert_close(ours.scores.flatten(), out.sequences_scores, atol=1e-4, rtol=1e-5)


def test_results_are_items_without_duplicates_at_any_width(model, trie, prompts):
    for beams in (1, 2, 7, 33):
        for row in trie_beam_search(model, *prompts, trie, beams).items.tolist():
            valid = [item for item in row if item >= 0]
            assert valid
            assert len(set(valid)) == len(valid)
            assert max(valid) < trie.num_items


def test_num_return_is_the_head_of_the_same_beam(model, trie, prompts):
    whole = trie_beam_search(model, *prompts, trie, 20)
    head = trie_beam_search(model, *prompts, trie, 20, num_return=5)
    assert head.items.tolist() == whole.items[:, :5].tolist()


def test_padding_does_not_change_a_prompt(model, trie, prompts):
    ids, mask = prompts
    together = trie_beam_search(model, ids, mask, trie, 10)
    alone = trie_beam_search(model, ids[2:3, 5:], mask[2:3, 5:], trie, 10)
    assert together.items[2].tolist() == alone.items[0].tolist()


def test_generation_config_is_ignored_and_training_mode_restored(model, trie, prompts):
    calm = trie_beam_search(model, *prompts, trie, 5)
    old = model.generation_config.do_sample, model.generation_config.temperature
    model.generation_config.do_sample, model.generation_config.temperature = True, 9.0
    model.train()
    try:
        again = trie_beam_search(model, *prompts, trie, 5)
        assert model.training
    finally:
        model.eval()
        model.generation_config.do_sample, model.generation_config.temperature = old
    assert torch.equal(again.items, calm.items)


def test_models_without_4d_masks_take_the_repeated_cache(prompts):
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1}
    windows = {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}
    sliding = Qwen2ForCausalLM(Qwen2Config(**shape, **windows, intermediate_size=16, vocab_size=60)).eval()
    assert not supports_tree(sliding)
    trie = Trie.from_codes([[20, 30], [21, 30], [22, 30]])
    assert sorted(trie_beam_search(sliding, *prompts, trie, 3).items[0].tolist()) == [0, 1, 2]
    with pytest.raises(ValueError, match="repeat"):
        trie_beam_search(sliding, *prompts, trie, 3, cache="tree")


def test_absolute_positions_are_right_with_both_caches(codes, trie, prompts):
    torch.manual_seed(0)
    gpt = GPT2LMHeadModel(GPT2Config(vocab_size=60, n_positions=64, n_embd=16, n_layer=2, n_head=2)).eval()
    tree, repeat = (trie_beam_search(gpt, *prompts, trie, 200, cache=cache) for cache in ("tree", "repeat"))
    torch.testing.assert_close(tree.scores, repeat.scores, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_return": 6}, "num_return must be 1..num_beams"),
        ({"attention_mask": torch.tensor([[1, 1, 0]])}, "padded on the left"),
        ({"attention_mask": torch.tensor([[1, 1]])}, "must be equal"),
        ({"exclude": [set(), set()]}, "exclude holds 2 sets for 1 prompts"),
        ({"exclude": [{10_000}]}, "excluded items must be"),
        ({"trie": Trie.from_codes([[99]])}, "resize its embeddings"),
        ({"cache": "none"}, "cache must be"),
    ],
)
def test_wrong_calls_are_refused_with_the_reason(model, trie, change, words):
    call = {
        "input_ids": torch.tensor([[1, 2, 3]]),
        "attention_mask": torch.ones(1, 3),
        "trie": trie,
        "num_beams": 5,
    }
    with pytest.raises(ValueError, match=words):
        trie_beam_search(model, **{**call, **change})


def test_batched_prompts_come_back_in_their_order(model, trie, prompts, caplog):
    ids, mask = prompts
    lists = [ids[row][mask[row] == 1].tolist() for row in (2, 0, 3, 1)]
    exclude = [{0}, set(), {1, 2}, set()]
    with caplog.at_level(logging.INFO, "genrec.decoding.batching"):
        found = search_prompts(model, lists, trie, 8, 5, exclude, batch_size=3)
    assert "ranked 4 prompts" in caplog.text
    for row, tokens in enumerate(lists):
        one = torch.tensor([tokens])
        alone = trie_beam_search(model, one, torch.ones_like(one), trie, 8, 5, exclude[row : row + 1])
        assert found.items[row].tolist() == alone.items[0].tolist()
        torch.testing.assert_close(found.scores[row], alone.scores[0], atol=1e-4, rtol=1e-5)


def test_an_empty_prompt_is_refused(model, trie):
    with pytest.raises(ValueError, match="non-empty"):
        search_prompts(model, [[1], []], trie, 3)
