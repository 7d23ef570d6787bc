"""Which interactions may be learnt from, and which are asked for? The only module that decides.

Legend: n targets; a history is an int64 array of dense item indices, oldest first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from genrec.data.errors import DataError, describe

if TYPE_CHECKING:
    from genrec.data.dataset import Dataset

IntArray = NDArray[np.int64]
SplitKind = Literal["leave_one_out", "by_time"]


@dataclass
class Targets:
    """Questions with known answers.

    Attributes:
        users: Dense user of each question, shape (n,).
        histories: Everything the user did before the target, untruncated; n arrays.
        targets: The item to be found, shape (n,).
    """

    users: IntArray
    histories: list[IntArray]
    targets: IntArray

    def __len__(self) -> int:
        """Number of questions n."""
        return len(self.targets)

    def sample(self, count: int | None, seed: int = 0) -> Targets:
        """Draw a fixed sample of questions, kept in their order.

        Args:
            count: Questions wanted; None, or at least as many as there are, means all.
            seed: Seed of the draw; runs that are compared user by user leave it as it is, whatever their own seed.

        Returns:
            The sample, or these targets themselves.
        """
        if count is None or count >= len(self):
            return self
        rows = np.sort(np.random.default_rng(seed).choice(len(self), size=count, replace=False))
        return Targets(self.users[rows], [self.histories[row] for row in rows], self.targets[rows])


@dataclass
class Split:
    """Training histories, and validation and test targets.

    Attributes:
        train: Per dense user, what may be learnt from: a prefix of the history, possibly empty.
        valid: Targets for every choice that is made.
        test: Targets for the reported numbers only; their histories include the validation items.
        kind: The rule that made it.
    """

    train: list[IntArray]
    valid: Targets
    test: Targets
    kind: SplitKind = "leave_one_out"

    def popularity(self, num_items: int) -> IntArray:
        """Count each item's training interactions.

        Args:
            num_items: Size of the catalogue.

        Returns:
            Counts, shape (num_items,).
        """
        flat = np.concatenate(self.train) if self.train else np.zeros(0, dtype=np.int64)
        return np.bincount(flat, minlength=num_items).astype(np.int64)

    def train_items(self) -> set[int]:
        """The items that occur in training."""
        return {int(item) for history in self.train for item in history}


def leave_one_out(histories: Sequence[IntArray], user_ids: Sequence[str] | None = None) -> Split:
    """Last item = test, last but one = validation, the rest = training.

    Args:
        histories: Per dense user, all items oldest first; each at least 3 long.
        user_ids: Names for the error message.

    Returns:
        The split; every user has one validation and one test target.

    Raises:
        DataError: If a user has fewer than 3 interactions.
    """
    for user, history in enumerate(histories):
        if len(history) < 3:
            name = user_ids[user] if user_ids is not None else user
            what = f"leave-one-out needs 3 interactions per user, but user {name!r} has {len(history)}"
            raise DataError(describe(what, remedy="load with on_error='skip' or k_core=3, or split by_time"))
    users = np.arange(len(histories), dtype=np.int64)
    valid = Targets(users, [h[:-2] for h in histories], np.array([h[-2] for h in histories], dtype=np.int64))
    test = Targets(users, [h[:-1] for h in histories], np.array([h[-1] for h in histories], dtype=np.int64))
    return Split([h[:-2] for h in histories], valid, test, "leave_one_out")


def by_time(
    histories: Sequence[IntArray],
    timestamps: Sequence[IntArray] | None,
    *,
    valid_from: int | None = None,
    test_from: int | None = None,
    fractions: tuple[float, float] = (0.1, 0.1),
    per_user: Literal["first", "all"] = "first",
) -> Split:
    """Train before one moment, validate until a second one, test after it.

    Args:
        histories: Per dense user, all items oldest first.
        timestamps: Per dense user, unix seconds of the same interactions.
        valid_from: Start of validation, unix seconds; from `fractions` when None.
        test_from: Start of the test, unix seconds; from `fractions` when None.
        fractions: Share of all interactions in validation and in test, when no moments are given.
        per_user: "first" asks for a user's first interaction in each window, "all" for every one.

    Returns:
        The split. An interaction at a moment belongs to the window that starts there. Targets without any
        history are left out.

    Raises:
        DataError: If there are no timestamps, or a window is empty.
    """
    if timestamps is None:
        raise DataError(
            describe("a by_time split needs timestamps, and this dataset has none", remedy="use leave_one_out")
        )
    moments = np.sort(np.concatenate(timestamps))
    test_from = _cut(moments, 1 - fractions[1]) if test_from is None else test_from
    valid_from = _cut(moments, 1 - fractions[0] - fractions[1]) if valid_from is None else valid_from
    if not valid_from < test_from <= moments[-1] or valid_from <= moments[0]:
        span = f"data spans {moments[0]}..{moments[-1]}"
        what = f"a window is empty: {span}, valid_from={valid_from}, test_from={test_from}"
        raise DataError(describe(what, remedy="choose first < valid_from < test_from <= last, in unix seconds"))
    starts = [np.searchsorted(times, [valid_from, test_from], side="left") for times in timestamps]
    windows = [(int(a), int(b), len(h)) for (a, b), h in zip(starts, histories, strict=True)]
    valid = _window_targets(histories, [(a, b) for a, b, _ in windows], per_user)
    test = _window_targets(histories, [(b, end) for _, b, end in windows], per_user)
    return Split([h[:a] for h, (a, _, _) in zip(histories, windows, strict=True)], valid, test, "by_time")


def _cut(moments: IntArray, share: float) -> int:
    """The moment before which about this share of the sorted moments lies."""
    return int(moments[min(len(moments) - 1, max(0, round(share * len(moments))))])


def _window_targets(histories: Sequence[IntArray], windows: list[tuple[int, int]], per_user: str) -> Targets:
    """Ask for the interactions at positions [start, end) of each user."""
    if per_user not in ("first", "all"):
        raise ValueError(f"per_user is {per_user!r}; use 'first' or 'all'")
    asked = [
        (user, position)
        for user, (start, end) in enumerate(windows)
        for position in range(start, min(end, start + 1) if per_user == "first" else end)
        if position > 0
    ]
    return Targets(
        users=np.array([user for user, _ in asked], dtype=np.int64),
        histories=[histories[user][:position] for user, position in asked],
        targets=np.array([histories[user][position] for user, position in asked], dtype=np.int64),
    )


def make_split(dataset: Dataset, kind: SplitKind, **options: Any) -> Split:
    """Split a dataset by name; see `leave_one_out` and `by_time` for the options."""
    if kind == "leave_one_out":
        return leave_one_out(dataset.histories, dataset.user_ids, **options)
    if kind == "by_time":
        return by_time(dataset.histories, dataset.timestamps, **options)
    raise ValueError(f"split kind is {kind!r}; use 'leave_one_out' or 'by_time'")
