"""How does a chain read? Semantic IDs as titles, stages apart, the sentence that gives the reason."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gream.prompts.output import split_stages

if TYPE_CHECKING:
    from gream.recommend import GreamRecommender

REASON_STAGE = 4
_TAGGED = re.compile(r"(?:<[a-z]+(?:_\d+)+>)+")


class ChainReader:
    """Turns chains into what people read.

    Args:
        recommender: Holds index, vocabulary and titles.
    """

    def __init__(self, recommender: GreamRecommender) -> None:
        self._runner, self._codes = recommender.runner, recommender.item_codes
        self._titles = recommender.catalogue.titles

    def readable(self, text: str) -> str:
        """The text with the semantic ID of every known item as its title in angle quotes; others stay."""
        return _TAGGED.sub(lambda match: self._named(match[0]), text).strip()

    def _named(self, run: str) -> str:
        """Titles for a run of semantic IDs without separators."""
        vocabulary = self._runner.vocabulary
        sids = vocabulary.parse(run)
        if "".join(vocabulary.text_of(sid) for sid in sids) != run:
            return run  # something in it is no semantic ID
        items = [self._codes.item_of(sid) for sid in sids]
        pairs = zip(sids, items, strict=True)
        return " ".join(vocabulary.text_of(s) if i is None else f"«{self._titles[i]}»" for s, i in pairs)

    def stages(self, chain: str) -> dict[str, str]:
        """Stage number -> readable text."""
        found = split_stages(chain, self._runner.formatter.labels)
        return {str(number): self.readable(text) for number, text in found.items()}

    def reason(self, chain: str) -> str:
        """Stage 4 where the chain has one, else the whole chain, readable."""
        return (self.stages(chain).get(str(REASON_STAGE)) or self.readable(chain)) if chain else ""
