"""How may a history look and still be the same taste? Crop, mask and reorder.

Source: Xie et al. 2022, CL4SRec (arXiv 2010.14395): shares 0.6, 0.3 and 0.6 there too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class ViewConfig:
    """Strength of the augmentations.

    Attributes:
        crop: share of the items that a crop keeps, in (0, 1].
        mask: share of the items that masking hides, in [0, 1).
        reorder: share of the items that are shuffled, in [0, 1].
    """

    crop: float = 0.6
    mask: float = 0.3
    reorder: float = 0.6

    def __post_init__(self) -> None:
        """Refuse shares that leave nothing."""
        if not (0.0 < self.crop <= 1.0 and 0.0 <= self.mask < 1.0 and 0.0 <= self.reorder <= 1.0):
            raise ValueError(
                "crop must be in (0, 1], mask in [0, 1) and reorder in [0, 1], got "
                f"{self.crop}, {self.mask}, {self.reorder}"
            )


def crop(items: IntArray, share: float, random: np.random.Generator) -> IntArray:
    """A run of `max(1, floor(share * n))` neighbouring items."""
    kept = max(1, int(share * len(items)))
    start = int(random.integers(len(items) - kept + 1))
    return items[start : start + kept]


def mask(items: IntArray, share: float, hidden_id: int, random: np.random.Generator) -> IntArray:
    """The items with `floor(share * n)` of them hidden."""
    found = items.copy()
    found[random.permutation(len(items))[: int(share * len(items))]] = hidden_id
    return found


def reorder(items: IntArray, share: float, random: np.random.Generator) -> IntArray:
    """The items with a run of `floor(share * n)` neighbours shuffled."""
    count = int(share * len(items))
    start = int(random.integers(len(items) - count + 1))
    found = items.copy()
    found[start : start + count] = random.permutation(found[start : start + count])
    return found


def random_view(items: IntArray, config: ViewConfig, hidden_id: int, random: np.random.Generator) -> IntArray:
    """One of the three, each as likely.

    Args:
        items: at least one item.
        config: strengths.
        hidden_id: what stands for a hidden item.
        random: decides.
    """
    choice = int(random.integers(3))
    if choice == 0:
        return crop(items, config.crop, random)
    return mask(items, config.mask, hidden_id, random) if choice == 1 else reorder(items, config.reorder, random)
