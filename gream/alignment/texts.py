"""Which sentences can be said of items and histories without a language model? Pure functions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

_WORD = re.compile(r"[^\W_]{3,}")

Attributes = Mapping[str, Sequence[str]]


def item_query(title: str, attributes: Attributes, rng: np.random.Generator) -> str:
    """Write a search query that fits an item: up to two attribute values and up to three words of its title.

    Args:
        title: the item's title.
        attributes: attribute name -> values.
        rng: generator of the choices.

    Returns:
        Values and words separated by spaces; the title itself when there is nothing to choose from.

    Source: ours, because no query log is at hand; nothing in it is invented.
    """
    values = _choose([value for group in attributes.values() for value in group], 2, rng)
    words = _choose(_WORD.findall(title), 3, rng)
    return " ".join([*values, *words]) or title


def attribute_summary(history: Sequence[Attributes], most: int = 2) -> str:
    """Summarise a history by its most frequent attribute values.

    Args:
        history: attributes of the history's items, oldest first.
        most: values named per attribute.

    Returns:
        For instance "genres: Drama, Comedy; year: 1997", or "" when no item has an attribute. Ties go to
        the value seen first.
    """
    counts: dict[str, Counter[str]] = {}
    for attributes in history:
        for name, values in attributes.items():
            counts.setdefault(name, Counter()).update(values)
    parts = [
        f"{name}: {', '.join(v for v, _ in counter.most_common(most))}" for name, counter in counts.items() if counter
    ]
    return "; ".join(parts)


def _choose(options: Sequence[str], most: int, rng: np.random.Generator) -> list[str]:
    """Draw up to `most` distinct options and keep their order."""
    distinct = list(dict.fromkeys(options))
    kept = sorted(rng.permutation(len(distinct))[:most])
    return [distinct[int(i)] for i in kept]
