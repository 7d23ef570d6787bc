"""What do both styles share? The four stage texts, the style names and the seeded choice of a phrase."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

Style = Literal["compact", "full"]
STYLES: tuple[Style, ...] = get_args(Style)
KEEP: dict[Style, int] = {"compact": 4, "full": 10}  # most items of the denoised history


@dataclass(frozen=True)
class StageTexts:
    """Stages 1 to 4 of a chain as texts (stage 5 is a list of items)."""

    behaviour: str
    preferences: str
    intent: str
    recommendation: str


def phrase(rng: Random, templates: Sequence[str], **values: object) -> str:
    """Fills one of the templates, chosen by `rng`."""
    return rng.choice(templates).format(**values)


def fitting(values: Sequence[str], word_limit: int) -> list[str]:
    """The first value, then each later one that still fits.

    Args:
        values: Texts, the most important first.
        word_limit: Most words (split at blanks) of all chosen values together; the first may exceed it.

    Returns:
        Chosen values in order; empty only for no values.
    """
    chosen: list[str] = []
    used = 0
    for value in values:
        size = len(value.split())
        if not chosen or used + size <= word_limit:
            chosen.append(value)
            used += size
    return chosen
