"""How do wishes change the next list? Constraints take items out, a vector update moves the user.

Legend: V items, d width of the common space.
Source: METHODS 5; the update is Rocchio's (1971) with unit vectors.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llmrec.generative.feedback.wishes import Wishes
from llmrec.generative.records import Records, words

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
    allowed = np.ones(len(records), dtype=bool)
    for text in wishes.avoid:
        allowed[records.holders(words(text))] = False
    for text in wishes.require:
        has = np.zeros(len(records), dtype=bool)
        has[records.holders(words(text))] = True
        allowed &= has
    dropped = [records.items[item_id] for item_id in wishes.drop_items if item_id in records.items]
    allowed[dropped] = False
    return (
        allowed
        & _within(records.prices, wishes.min_price, wishes.max_price)
        & _within(records.years, wishes.min_year, wishes.max_year)
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


def _within(values: NDArray[np.float64], low: float | None, high: float | None) -> NDArray[np.bool_]:
    """Whether numbers (V,) lie within bounds; an unknown one (NaN) passes only where there are none."""
    if low is None and high is None:
        return np.ones(len(values), dtype=bool)
    return (values >= (-np.inf if low is None else low)) & (values <= (np.inf if high is None else high))
