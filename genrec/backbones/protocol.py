"""What can every id model do? The one protocol behind which rankers are trained, compared and swapped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

IntArray = NDArray[np.int64]


class IdModel(Protocol):
    """A model that scores the whole catalogue for histories of item ids."""

    @property
    def num_items(self) -> int:
        """Catalogue size."""
        ...

    def score_histories(self, histories: Sequence[IntArray]) -> Tensor:
        """Score every item after each history.

        Args:
            histories: n arrays of dense items, oldest first; empty ones are allowed.

        Returns:
            (n, num_items) scores, higher is better, without gradient.
        """
        ...


@runtime_checkable
class UserModel(Protocol):
    """A model that also knows something about the users (a description, a profile)."""

    def score_users(self, users: IntArray, histories: Sequence[IntArray]) -> Tensor:
        """Score every item for users with these histories.

        Args:
            users: (n,) dense users; -1 for one the model does not know.
            histories: n arrays of dense items, oldest first.

        Returns:
            (n, num_items) scores, higher is better, without gradient.
        """
        ...
