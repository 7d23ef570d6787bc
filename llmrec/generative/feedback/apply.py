"""How do wishes change the next list? Constraints take items out, a vector update moves the user.

Legend: V items, d width of the common space.
Source: METHODS 5; the update is Rocchio's (1971) with unit vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llmrec.generative.feedback.wishes import Wishes
from llmrec.generative.records import Record, Records, words

Floats = NDArray[np.float32]


def moved(user: ArrayLike, towards: ArrayLike, away: ArrayLike, gain: float = 0.75, loss: float = 0.25) -> Floats:
    """A user vector after feedback.

    Args:
        user: (d,).
        towards: (a, d) what is wanted; their mean is added, `gain` times.
        away: (b, d) what is not; their mean is subtracted, `loss` times.
        gain: weight of what is wanted.
        loss: weight of what is not.

    Returns:
        (d,) of length 1; zero where everything cancels out.
    """
    result = np.array(user, dtype=np.float64)
    for vectors, weight in ((towards, gain), (away, -loss)):
        table = np.asarray(vectors, dtype=np.float64).reshape(-1, len(result))
        if len(table):
            result += weight * table.mean(0)
    norm = np.linalg.norm(result)
    return np.asarray(result / norm if norm > 1e-12 else result * 0, dtype=np.float32)


def allowed_items(wishes: Wishes, records: Records) -> NDArray[np.bool_]:
    """(V,) bool, True for items that meet every constraint."""
    dropped = set(wishes.drop_items)
    avoid, require = [words(text) for text in wishes.avoid], [words(text) for text in wishes.require]
    return np.array(
        [
            record.item_id not in dropped
            and not any(_has(record, key) for key in avoid)
            and all(_has(record, key) for key in require)
            and _within(record.price, wishes.min_price, wishes.max_price)
            and _within(record.year, wishes.min_year, wishes.max_year)
            for record in records.all
        ]
    )


def relaxed(wishes: Wishes) -> list[tuple[str, Wishes]]:
    """Weaker wishes to try in turn when nothing meets all: (what was given up, wishes).

    What must not come again is never given up.
    """
    steps = [
        ("the years", replace(wishes, min_year=None, max_year=None)),
        ("the price", replace(wishes, min_year=None, max_year=None, min_price=None, max_price=None)),
    ]
    return [*steps, ("what every item must have", replace(steps[-1][1], require=[]))]


def _has(record: Record, key: Sequence[str]) -> bool:
    """Whether a record holds a value."""
    return bool(key) and tuple(key) in record.values


def _within(value: float | None, low: float | None, high: float | None) -> bool:
    """Whether a number lies within bounds; an unknown one passes only where there are none."""
    if low is None and high is None:
        return True
    return value is not None and (low is None or value >= low) and (high is None or value <= high)
