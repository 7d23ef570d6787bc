"""Beam search through an engine equals that of the model itself."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from genrec.decoding.beam import trie_beam_search
from genrec.decoding.engines.beam import engine_beam_search
from genrec.decoding.expand import SubCatalogue

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
