"""What if the language model lied? A share of descriptions, exchanged or invented, to see who is misled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

KINDS = ("swapped", "invented")


def corrupt(texts: Sequence[str], share: float, kind: str, seed: int) -> tuple[list[str], NDArray[np.bool_]]:
    """Make a share of descriptions wrong.

    Args:
        texts: n descriptions.
        share: in [0, 1]; `round(share * n)` texts are chosen, whatever the kind.
        kind: "swapped": each chosen text becomes another chosen one's, in a ring; "invented": words drawn from all
            texts, as many as the true text has.
        seed: of the choice; the same texts are chosen for both kinds, and a larger share keeps the smaller one's.

    Returns:
        n texts, and (n,) True where a text is no longer the true one.

    Raises:
        ValueError: a share outside [0, 1] or an unknown kind.
    """
    if not 0.0 <= share <= 1.0 or kind not in KINDS:
        raise ValueError(f"share must be in [0, 1] and kind one of {', '.join(KINDS)}, got {share} and {kind!r}")
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(texts))[: round(share * len(texts))]
    wrong = list(texts)
    if kind == "swapped":
        for place, source in zip(chosen, np.roll(chosen, 1), strict=True):
            wrong[place] = texts[source]
    else:
        vocabulary = sorted({word for text in texts for word in text.split()})
        for place in chosen:
            drawn = random.integers(max(1, len(vocabulary)), size=len(texts[place].split()))
            wrong[place] = " ".join(vocabulary[index] for index in drawn)
    changed = np.zeros(len(texts), dtype=bool)
    changed[chosen] = [wrong[place] != texts[place] for place in chosen]
    return wrong, changed
