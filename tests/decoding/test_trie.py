"""Facts about the prefix tree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genrec.decoding.trie import ROOT, Trie

# Root has 3 and 7; 3 goes on to 0 and 5 (a leaf), 0 to 1 and 2; 7 to 7, 7 to 0.
CODES = [[3, 0, 2], [7, 7, 0], [3, 5, -1], [3, 0, 1]]


def reachable(trie: Trie, prefix: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    """All complete sequences below a prefix, by public calls only."""
    if trie.leaf_item(prefix) is not None:
        assert len(trie.children(prefix)) == 0
        return [prefix]
    return [found for symbol in trie.children(prefix) for found in reachable(trie, (*prefix, int(symbol)))]


@st.composite
def catalogues(draw):
    """Prefix-free sets of codes of unequal length, in any order, with some useless padding."""
    raw = draw(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=5), min_size=1, max_size=40))
    unique = sorted({tuple(code) for code in raw})
    free = [code for code in unique if not any(other != code and other[: len(code)] == code for other in unique)]
    shuffled = draw(st.permutations(free))
    width = max(len(code) for code in shuffled) + draw(st.integers(0, 2))
    return shuffled, np.array([[*code, *[-1] * (width - len(code))] for code in shuffled])


@given(catalogues())
@settings(max_examples=60)
def test_reachable_sequences_are_exactly_the_catalogue(catalogue):
    codes, table = catalogue
    trie = Trie.from_codes(table)
    assert sorted(reachable(trie)) == sorted(codes)
    assert [trie.leaf_item(code) for code in codes] == list(range(len(codes)))


@given(catalogues(), st.lists(st.integers(-1, 6), max_size=6))
@settings(max_examples=60)
def test_children_are_what_a_search_through_the_catalogue_finds(catalogue, prefix):
    codes, table = catalogue
    expected = sorted(
        {code[len(prefix)] for code in codes if len(code) > len(prefix) and list(code[: len(prefix)]) == prefix}
    )
    assert Trie.from_codes(table).children(prefix).tolist() == expected


def test_arrays_of_a_small_catalogue():
    trie = Trie.from_codes(CODES)
    # breadth first: 0 root, 1 "3", 2 "7", 3 "3 0", 4 "3 5", 5 "7 7", 6 "3 0 1", 7 "3 0 2", 8 "7 7 0"
    assert trie.child_start.tolist() == [0, 2, 4, 5, 7, 7, 8, 8, 8, 8]
    assert trie.child_symbol.tolist() == [3, 7, 0, 5, 7, 1, 2, 0]
    assert trie.leaf_items.tolist() == [-1, -1, -1, -1, 2, -1, 3, 0, 1]
    assert trie.leaf_counts.tolist() == [4, 3, 1, 2, 1, 1, 1, 1, 1]
    assert trie.paths.tolist() == [[1, 3, 7], [2, 5, 8], [1, 4, -1], [1, 3, 6]]
    assert (trie.num_nodes, trie.num_items, trie.max_depth, trie.max_children) == (9, 4, 3, 2)


def test_step_follows_many_nodes_at_once_and_marks_what_does_not_exist():
    trie = Trie.from_codes(CODES)
    nodes = [ROOT, ROOT, 1, 1, -1, 8, 3]
    assert trie.step(nodes, [3, 4, 5, -1, 3, 0, 99]).tolist() == [1, -1, 4, -1, -1, -1, -1]


def test_useless_padding_columns_change_nothing():
    assert Trie.from_codes([[1, 2, -1, -1], [1, 3, -1, -1]]).max_depth == 2


def test_leaf_item_is_none_for_unfinished_and_unknown_prefixes():
    trie = Trie.from_codes(CODES)
    assert trie.leaf_item([3]) is None
    assert trie.leaf_item([9]) is None
    assert trie.leaf_item([3, 5]) == 2


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ([[1, 2], [0, 1], [1, 2]], "items 0 and 2 share the code [1, 2]"),
        ([[1, 2, 3], [1, 2, -1]], "the code [1, 2] of item 1 is a prefix of the code of item 0"),
        ([[1, -1, 3], [1, 2, 3]], "item 0 has the code [1, -1, 3]"),
        ([[1, 2], [-1, -1]], "item 1 has the code [-1, -1]"),
        ([[1, -2]], "item 0 has the symbol -2"),
        (np.zeros((0, 3), dtype=int), "non-empty"),
        ([[0.5]], "integers"),
    ],
)
def test_codes_that_cannot_be_told_apart_are_refused_by_name(codes, words):
    with pytest.raises(ValueError, match=r"item|integers") as error:
        Trie.from_codes(codes)
    assert words in str(error.value)


def test_prefix_conflicts_are_found_when_other_codes_sort_between():
    with pytest.raises(ValueError, match="prefix"):
        Trie.from_codes([[1, 9, 9], [1, 2, 3], [1, 5, -1], [1, -1, -1]])
