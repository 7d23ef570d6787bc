"""Which users have short, long or changing histories, and what else is asked of them? Masks and changed inputs.

Legend: n test users. A scene is a mask (n,); a changed input is `Targets` with other histories and the same answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genrec.data.split import Split, Targets

IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]
FEWEST = 500  # users below which a scene is judged on truncated histories
DRIFT = 0.5  # total variation distance of the halves' categories from which interests have drifted
HALVED = 4  # shortest history that has two halves worth comparing


def scene_masks(split: Split, categories: IntArray) -> dict[str, Mask]:
    """Scenes by what the model is given.

    Args:
        split: test histories and training items.
        categories: (V,) main category of each item, -1 for none.

    Returns:
        `short` (fewer than 5 events, fewer than 3 distinct training items), `dense` (at least 10 events, at least 8
        distinct training items) and `drift` (the halves of the history differ in category mix), (n,) each.

    Source: METHODS 6; the distance and its threshold are ours.
    """
    lengths = np.array([len(history) for history in split.test.histories])
    distinct = np.array([len(np.unique(split.train[user])) for user in split.test.users])
    drift = np.array([drifted(history, categories) for history in split.test.histories], dtype=bool)
    return {"short": (lengths < 5) & (distinct < 3), "dense": (lengths >= 10) & (distinct >= 8), "drift": drift}


def drifted(history: IntArray, categories: IntArray, threshold: float = DRIFT) -> bool:
    """Whether the total variation distance between the category mixes of both halves reaches the threshold."""
    halves = [categories[half] for half in (history[: len(history) // 2], history[len(history) // 2 :])]
    first, second = (half[half >= 0] for half in halves)
    if len(history) < HALVED or not len(first) or not len(second):
        return False
    size = int(max(first.max(), second.max())) + 1
    shares = [np.bincount(half, minlength=size) / len(half) for half in (first, second)]
    return bool(0.5 * np.abs(shares[0] - shares[1]).sum() >= threshold)


def new_behaviour(targets: Targets, categories: IntArray) -> Mask:
    """True where the target's category is absent from the first half of the history (n,); False without a category."""
    found = []
    for history, target in zip(targets.histories, targets.targets, strict=True):
        own = categories[target]
        found.append(own >= 0 and len(history) >= HALVED and own not in categories[history[: len(history) // 2]])
    return np.array(found, dtype=bool)


def truncated(targets: Targets, seed: int = 0) -> Targets:
    """The same questions after the last 2 to 4 events only; how many is drawn per user."""
    counts = [int(np.random.default_rng((seed, int(user))).integers(2, 5)) for user in targets.users]
    cut = [history[-count:] for history, count in zip(targets.histories, counts, strict=True)]
    return Targets(targets.users, cut, targets.targets)


def noisy(targets: Targets, weights: NDArray[np.float64], share: float = 0.2, seed: int = 0) -> Targets:
    """The same questions with clicks inserted that the users never made.

    Args:
        targets: n questions.
        weights: (V,) how likely each item is clicked by mistake: equal for random clicks, training counts for popular.
        share: clicks inserted per event, at least one.
        seed: of places and items; the target itself is never inserted.

    Returns:
        Questions with longer histories.
    """
    found = []
    for user, history, target in zip(targets.users, targets.histories, targets.targets, strict=True):
        random = np.random.default_rng((seed, int(user)))
        chances = weights.copy()
        chances[target] = 0.0
        drawn = random.choice(len(weights), size=max(1, round(share * len(history))), p=chances / chances.sum())
        found.append(np.insert(history, random.integers(0, len(history) + 1, size=len(drawn)), drawn).astype(np.int64))
    return Targets(targets.users, found, targets.targets)


def hidden_parts(
    histories: Sequence[IntArray], share: float = 0.2, seed: int = 0
) -> list[tuple[int, IntArray, IntArray]]:
    """Training histories with some interactions hidden, for completion accuracy.

    Args:
        histories: training histories per user.
        share: hidden share, at least one; users with fewer than 3 distinct items are left out.
        seed: of the choice.

    Returns:
        Per user: the user, what is left (in order), and the hidden items; an item is either hidden or left.
    """
    found = []
    for user, history in enumerate(histories):
        distinct = np.unique(history)
        if len(distinct) >= 3:
            random = np.random.default_rng((seed, user))
            gone = random.choice(distinct, size=max(1, round(share * len(distinct))), replace=False)
            found.append((user, history[~np.isin(history, gone)], gone))
    return found
