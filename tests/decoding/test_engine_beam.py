"""Beam search and answers through an engine equal those of the model itself."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from genrec.decoding.beam import trie_beam_search
from genrec.decoding.engines.answers import choose, draw_items
from genrec.decoding.engines.beam import engine_beam_search
from genrec.decoding.engines.protocol import ChainSettings
from genrec.decoding.expand import SubCatalogue
from genrec.decoding.trie import Trie

sys.path.insert(0, str(Path(__file__).parent))

from engine_toys import PlainEngine


def plain(prompts):
    ids, mask = prompts
    return [row[keep == 1].tolist() for row, keep in zip(ids, mask, strict=True)]


@pytest.mark.parametrize("num_beams", [2, 7])
def test_the_same_items_and_scores_as_the_models_own_beam(model, trie, prompts, num_beams):
    ours = trie_beam_search(model, *prompts, trie, num_beams)
    engine = PlainEngine(model)
    found = engine_beam_search(engine, plain(prompts), trie, num_beams)
    assert found.items.tolist() == ours.items.tolist()
    torch.testing.assert_close(found.scores, ours.scores, atol=1e-4, rtol=0)
    assert len(engine.rounds) <= trie.max_depth, "all beams of all prompts go together: one round per level"


def test_exclusions_and_sub_catalogues_hold_there_too(model, trie, prompts):
    allowed = np.arange(trie.num_items) % 3 == 0
    within = [SubCatalogue.of(trie, allowed), None, SubCatalogue.of(trie, allowed), None]
    exclude = [{0, 3}, {1}, set(), set()]
    ours = trie_beam_search(model, *prompts, trie, 6, exclude=exclude, within=within)
    found = engine_beam_search(PlainEngine(model), plain(prompts), trie, 6, exclude=exclude, within=within)
    assert found.items.tolist() == ours.items.tolist()


def test_a_draw_is_renormalised_over_the_children_and_skips_only_children(model, trie, prompts):
    engine = PlainEngine(model)
    greedy = ChainSettings(temperature=0.0)
    (tokens, log_prob), *_ = draw_items(engine, plain(prompts), trie, greedy, np.random.default_rng(0))
    total, prefix = 0.0, []
    for token in tokens:
        children = trie.children(prefix)
        with torch.inference_mode():
            logits = model(torch.tensor([[*plain(prompts)[0], *prefix]])).logits[0, -1]
        share = logits[children].log_softmax(-1)
        assert int(children[share.argmax()]) == token
        total += float(share.max())
        prefix.append(token)
    assert trie.leaf_item(tokens) is not None
    assert log_prob == pytest.approx(total, abs=1e-4)


def test_an_only_child_costs_no_call():
    class Silent:
        def score(self, prompts, tokens):
            assert not prompts
            return []

    chain = Trie.from_codes([[4, 5, 6]])
    settings = ChainSettings()
    assert draw_items(Silent(), [[1]], chain, settings, np.random.default_rng(0)) == [([4, 5, 6], 0.0)]  # type: ignore[arg-type]


def test_choose_keeps_the_nucleus_and_follows_the_temperature():
    log_probs = np.log([0.5, 0.3, 0.15, 0.05])
    random = np.random.default_rng(0)
    assert {choose(log_probs, 1.0, 0.6, random) for _ in range(200)} == {0, 1}
    assert choose(log_probs, 0.0, 1.0, random) == 0
    drawn = np.bincount([choose(log_probs, 0.5, 1.0, random) for _ in range(4000)], minlength=4) / 4000
    squares = np.array([0.25, 0.09, 0.0225, 0.0025])
    np.testing.assert_allclose(drawn, squares / squares.sum(), atol=0.03)
