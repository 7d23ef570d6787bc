"""Masked chains show how much of the variety is more than names."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_synthesis.facts import ItemFacts
from data_synthesis.masking import MASK, distinct_share, mask_chain, mask_item_names
from genrec.data.chains import Chain


def test_names_are_masked_whatever_case_and_punctuation() -> None:
    assert mask_item_names("More like ALIEN, then Die-Hard.", ["Alien", "Die Hard"]) == (
        f"more like {MASK} then {MASK}"
    )


def test_longest_name_wins() -> None:
    assert mask_item_names("Alien: Resurrection", ["Alien", "Alien: Resurrection"]) == MASK


def test_part_of_a_word_is_not_a_name() -> None:
    assert mask_item_names("aliens", ["Alien"]) == "aliens"


def test_distinct_share_by_hand() -> None:
    assert distinct_share(["a", "b", "a", "c"]) == 0.75


def test_distinct_share_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one text"):
        distinct_share([])


def test_two_chains_that_differ_in_names_only_are_equal_when_masked(
    films: ItemFacts, chain: Callable[..., Chain]
) -> None:
    other = chain(
        history=["m5", "m2", "m4"],
        target="m1",
        behaviour="Cop Land then Alien: Resurrection",
        recommendation="Aliens because Action like Alien: Resurrection",
    )
    assert mask_chain(films, chain()) == mask_chain(films, other)
    assert mask_chain(films, chain()) != mask_chain(films, chain(intent="Action again"))


@given(st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=6))
def test_text_made_of_names_is_all_masks(names: list[str]) -> None:
    assert set(mask_item_names(" ".join(names), ["x", "y", "z"]).split()) == {MASK}
