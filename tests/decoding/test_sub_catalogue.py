"""Masks over one trie, files that are mapped, new items without a stop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from genrec.decoding.beam import trie_beam_search
from genrec.decoding.expand import SubCatalogue
from genrec.decoding.trie import Trie


def test_a_sub_catalogue_counts_its_items_below_every_node():
    trie = Trie.from_codes([[3, 0, 2], [7, 7, 0], [3, 5, -1], [3, 0, 1]])
    part = SubCatalogue.of(trie, np.array([True, False, False, True]))
    # nodes: 0 root, 1 "3", 2 "7", 3 "3 0", 4 "3 5", 5 "7 7", 6 "3 0 1", 7 "3 0 2", 8 "7 7 0"
    assert (part.counts.tolist(), part.size) == ([2, 2, 0, 2, 0, 0, 1, 1, 0], 2)
    with pytest.raises(ValueError, match="4 items"):
        SubCatalogue.of(trie, np.array([True]))


@pytest.mark.parametrize("share", [2, 5, 30])
def test_a_search_within_a_sub_catalogue_is_the_exhaustive_ranking_of_its_items(
    model, trie, prompts, exhaustive, share
):
    allowed = np.arange(trie.num_items) % share == 0
    exclude = [{0}, set(), {0, share, 1}, set()]
    within = [SubCatalogue.of(trie, allowed), None, SubCatalogue.of(trie, allowed), SubCatalogue.of(trie, ~allowed)]
    found = trie_beam_search(model, *prompts, trie, trie.num_items, exclude=exclude, within=within)
    masks = [allowed, np.ones_like(allowed), allowed, ~allowed]
    for row, (mask, left_out) in enumerate(zip(masks, exclude, strict=True)):
        keep = [item for item in np.argsort(-exhaustive[row]) if mask[item] and item not in left_out]
        assert [item for item in found.items[row].tolist() if item >= 0] == keep


def test_a_narrow_beam_within_a_sub_catalogue_never_ends_in_a_dead_end(model, trie, prompts):
    only = np.zeros(trie.num_items, dtype=bool)
    only[11] = True
    found = trie_beam_search(model, *prompts, trie, 1, within=[SubCatalogue.of(trie, only)] * 4)
    assert found.items.tolist() == [[11]] * 4


def test_a_saved_trie_is_mapped_and_searches_alike(model, trie, prompts, tmp_path):
    loaded = Trie.load(trie.save(tmp_path / "trie"))
    assert isinstance(loaded.paths, np.memmap)
    ours, theirs = (trie_beam_search(model, *prompts, tree, 5) for tree in (trie, loaded))
    assert ours.items.tolist() == theirs.items.tolist()
    assert torch.equal(ours.scores, theirs.scores)
    assert loaded.codes().tolist() == trie.codes().tolist()


def test_a_folder_that_was_cut_off_is_refused(trie, tmp_path):
    folder = trie.save(tmp_path / "trie")
    other = Trie.from_codes([[1], [2]]).save(tmp_path / "other")
    (folder / "paths.npy").write_bytes((other / "paths.npy").read_bytes())
    with pytest.raises(ValueError, match="different trees"):
        Trie.load(folder)
    (folder / "trie.json").unlink()
    with pytest.raises(ValueError, match=r"no trie\.json"):
        Trie.load(folder)


def test_an_extended_trie_holds_old_and_new_items_and_the_old_one_is_unchanged(trie, codes):
    before = trie.codes()
    new = np.array([[20, 20, 59], [59, -1, -1]])
    grown = trie.extended(new)
    assert grown.num_items == trie.num_items + 2
    assert grown.leaf_item([59]) == trie.num_items + 1
    assert [grown.leaf_item(code[code >= 0].tolist()) for code in codes] == list(range(trie.num_items))
    assert trie.codes().tolist() == before.tolist()
    with pytest.raises(ValueError, match="share the code"):
        trie.extended(codes[:1])


def test_single_steps_agree_with_steps_of_many(trie):
    nodes = np.repeat(np.arange(-1, trie.num_nodes), 62)
    symbols = np.tile(np.arange(-1, 61), trie.num_nodes + 1)
    many = trie.step(nodes, symbols)
    pairs = zip(nodes.tolist(), symbols.tolist(), strict=True)
    assert many.tolist() == [trie.child(node, symbol) for node, symbol in pairs]


def test_symbols_beyond_32_bits_are_refused():
    with pytest.raises(ValueError, match="item 1 has the symbol 2147483647"):
        Trie.from_codes(np.array([[1], [2**31 - 1]]))
