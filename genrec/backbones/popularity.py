"""How good is recommending what sells best? The baseline of every table."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor


class Popularity:
    """Scores every item by its number of training interactions.

    Args:
        counts: (num_items,) training interactions, see `Split.popularity`.
    """

    def __init__(self, counts: ArrayLike) -> None:
        """Keep the counts."""
        self.counts = torch.as_tensor(np.asarray(counts, dtype=np.float32))

    @property
    def num_items(self) -> int:
        """Catalogue size."""
        return len(self.counts)

    def score_histories(self, histories: Sequence[NDArray[np.int64]]) -> Tensor:
        """The same counts for each of n histories, (n, num_items)."""
        return self.counts.expand(len(histories), -1)
