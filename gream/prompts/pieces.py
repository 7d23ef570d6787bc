"""How is one item written? SID text and ids, escaped title: the pieces every prompt is made of."""

from __future__ import annotations

from typing import Any

from genrec.data.escape import escape_text
from gream.prompts.text import clip_words, one_line


class ItemPieces:
    """Texts and token ids of items, for one tokenizer and one index.

    Args:
        tokenizer: Hugging Face tokenizer that holds the SID tokens.
        item_codes: `ItemCodes`, SIDs of all items.
        vocabulary: `SidVocabulary`, SID codes <-> token text.
        catalogue: `Catalogue`, item texts.

    Raises:
        ValueError: when the tokenizer lacks a SID token.
    """

    def __init__(self, tokenizer: Any, item_codes: Any, vocabulary: Any, catalogue: Any) -> None:
        self.item_codes = item_codes
        self.vocabulary = vocabulary
        self.catalogue = catalogue
        self.bound = vocabulary.bind(tokenizer)
        self._added: tuple[str, ...] = tuple(tokenizer.get_added_vocab())
        self._sids: dict[int, str] = {}

    def codes(self, item: int) -> list[int]:
        """Return the SID codes of one dense item, without padding.

        Raises:
            ValueError: when the index holds no such item.
        """
        num_items = len(self.item_codes.lengths)
        if not 0 <= item < num_items:
            raise ValueError(f"item {item} is not in the index of {num_items} items; rebuild the index")
        return [int(code) for code in self.item_codes.codes[item][: int(self.item_codes.lengths[item])]]

    def sid(self, item: int) -> str:
        """Return the SID text of one dense item, its tokens without separator. Cached."""
        if item not in self._sids:
            self._sids[item] = self.vocabulary.text_of(self.codes(item))
        return self._sids[item]

    def sid_ids(self, item: int) -> list[int]:
        """Return the token ids of one dense item's SID."""
        return [int(token) for token in self.bound.ids_of(self.codes(item))]

    def escape(self, text: str, max_words: int | None = None) -> str:
        """Make untrusted text harmless: one line, no added token, at most `max_words` words."""
        return escape_text(clip_words(one_line(text), max_words), self._added)

    def title(self, item: int, max_words: int | None = None) -> str:
        """Return the escaped title of one dense item."""
        return self.escape(self.catalogue.titles[item], max_words)
