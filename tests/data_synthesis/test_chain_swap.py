"""Swapped chains: own user and target, another user's reasoning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_synthesis.swap import swap_chains
from genrec.data.chains import Chain


def _chains(users: list[int]) -> list[Chain]:
    return [
        Chain(f"u{user}", [f"h{n}"], f"t{n}", f"b{n}", "p", "i", "r", [f"h{n}"], "test") for n, user in enumerate(users)
    ]


def _possible(users: list[int]) -> bool:
    return max(users.count(user) for user in users) * 2 <= len(users)


@given(st.lists(st.integers(0, 4), min_size=2, max_size=30).filter(_possible), st.integers(0, 5))
def test_every_chain_gets_stages_of_another_user_and_every_stage_is_used_once(users: list[int], seed: int) -> None:
    chains = _chains(users)
    swapped = swap_chains(chains, seed)
    owner = {chain.behaviour: chain.user_id for chain in chains}
    assert [(c.user_id, c.history, c.target) for c in swapped] == [(c.user_id, c.history, c.target) for c in chains]
    assert all(owner[c.behaviour] != c.user_id for c in swapped)
    assert all(c.extra["swapped_from"] == owner[c.behaviour] for c in swapped)
    assert sorted(c.behaviour for c in swapped) == sorted(c.behaviour for c in chains)


def test_pairing_follows_the_seed() -> None:
    chains = _chains(list(range(20)))
    assert swap_chains(chains, 1) == swap_chains(chains, 1)
    assert swap_chains(chains, 1) != swap_chains(chains, 2)


def test_donors_of_the_same_target_are_avoided() -> None:
    chains = _chains(list(range(40)))
    for number, chain in enumerate(chains):
        chain.target = f"t{number % 3}"
        chain.behaviour = chain.target
    assert all(chain.behaviour != chain.target for chain in swap_chains(chains, 0))


def test_user_with_most_of_the_chains_makes_swapping_impossible() -> None:
    with pytest.raises(ValueError, match="user 'u0' has 2 of 3 chains"):
        swap_chains(_chains([0, 0, 1]), 0)
    with pytest.raises(ValueError, match="give chains of more users"):
        swap_chains([], 0)


def test_input_is_not_changed() -> None:
    chains = _chains([0, 1])
    swap_chains(chains, 0)[0].denoised.append("x")
    assert chains == _chains([0, 1])
