"""Which (history, next item) pairs are explained? Seeded positions inside the training part of each user."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np


@dataclass(frozen=True)
class Example:
    """One training event to explain.

    Attributes:
        user: Dense user index.
        user_id: The user's id in the data.
        position: Place of the target in the user's training sequence (0-based).
        history: Items before the target, oldest first, at most `max_history` of them.
        target: The training item that followed.
    """

    user: int
    user_id: str
    position: int
    history: tuple[int, ...]
    target: int


def choose_examples(
    train: Sequence[Sequence[int] | np.ndarray],
    user_ids: Sequence[str],
    *,
    max_chains: int | None,
    per_user: int,
    max_history: int,
    min_history: int,
    seed: int,
) -> list[Example]:
    """Chooses training positions: every user once before any user twice, users in a seeded order.

    Args:
        train: Per user the training items, oldest first (validation and test items are not in it).
        user_ids: Per user the id.
        max_chains: Most examples in all; None for no limit.
        per_user: Most examples per user.
        max_history: Most history items per example; the latest are kept.
        min_history: Fewest history items per example.
        seed: Seed of the choice.

    Returns:
        Examples in the order in which they are to be written. A shorter `max_chains` gives a prefix.
    """
    order = list(range(len(train)))
    Random(f"users|{seed}").shuffle(order)
    picks = {user: _positions(len(train[user]), per_user, min_history, f"{seed}|{user}") for user in order}
    chosen = [(user, picks[user][turn]) for turn in range(per_user) for user in order if turn < len(picks[user])]
    return [
        _example(train[user], user, str(user_ids[user]), position, max_history)
        for user, position in chosen[:max_chains]
    ]


def _positions(length: int, count: int, min_history: int, seed: str) -> list[int]:
    """Seeded distinct target positions that leave at least `min_history` items before them."""
    possible = range(min_history, length)
    return Random(f"positions|{seed}").sample(possible, min(count, len(possible)))


def _example(items: Sequence[int] | np.ndarray, user: int, user_id: str, position: int, max_history: int) -> Example:
    history = tuple(int(item) for item in items[max(0, position - max_history) : position])
    return Example(user, user_id, position, history, int(items[position]))
