"""Only training events are explained, in an order in which a shorter job is a prefix of a longer one."""

import numpy as np

from data_synthesis.examples import choose_examples
from genrec.data import Dataset

TRAIN = [np.arange(10, 10 + n) for n in (8, 3, 1, 5, 0)]
USERS = ["a", "b", "c", "d", "e"]


def _choose(**changes: int) -> list[tuple[str, tuple[int, ...], int]]:
    options = {"max_chains": 100, "per_user": 3, "max_history": 4, "min_history": 2, "seed": 0} | changes
    chosen = choose_examples(TRAIN, USERS, **options)
    return [(e.user_id, e.history, e.target) for e in chosen]


def test_history_is_the_training_prefix_of_its_target() -> None:
    for _, history, target in _choose():
        assert history == tuple(range(max(10, target - 4), target))


def test_short_users_are_left_out() -> None:
    assert {user for user, _, _ in _choose()} == {"a", "b", "d"}  # c and e lack two items before a target


def test_every_user_comes_once_before_any_comes_twice() -> None:
    users = [user for user, _, _ in _choose()]
    assert set(users[:3]) == {"a", "b", "d"}
    assert users.count("b") == 1  # three training items, one target after two of them
    assert len(users) == 3 + 2 + 2


def test_fewer_chains_are_a_prefix() -> None:
    assert _choose(max_chains=4) == _choose()[:4]


def test_seed_changes_the_choice_and_nothing_else_does() -> None:
    assert _choose() == _choose()
    assert _choose(seed=1) != _choose()


def test_validation_and_test_items_are_never_explained(toy: Dataset) -> None:
    split = toy.split()
    for e in choose_examples(
        split.train, toy.user_ids, max_chains=None, per_user=99, max_history=20, min_history=1, seed=0
    ):
        assert e.target == toy.histories[e.user][e.position]
        assert e.position < len(toy.histories[e.user]) - 2
