"""Which reviews may describe an item? High-rated, long enough, few, and from training interactions only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from genrec.data.text import clean_text

MIN_RATING, MAX_REVIEWS, MIN_CHARS = 4.0, 8, 20  # METHODS 1.1


@dataclass
class Evidence:
    """Collects reviews per item; the first ones offered win.

    Attributes:
        by_item: Item id to cleaned review texts.

    Source:
        METHODS 1.1: rating >= 4, at most 8 per item, at least 20 characters.
    """

    by_item: dict[str, list[str]] = field(default_factory=dict)

    def add(self, item_id: str, rating: Any, text: Any) -> None:
        """Offer one review.

        Args:
            item_id: The item's id.
            rating: Stars; anything that is not a number is refused.
            text: Raw text.
        """
        if not isinstance(rating, (int, float)) or rating < MIN_RATING:
            return
        kept = self.by_item.get(item_id, [])
        if len(kept) >= MAX_REVIEWS:
            return
        review = clean_text(text)
        if len(review) >= MIN_CHARS:
            self.by_item[item_id] = [*kept, review]
