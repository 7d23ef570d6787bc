"""Which texts are SID tokens? `<a_12>`: the letter is the level, the number the code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

from genrec.sid.codes import ItemCodes

if TYPE_CHECKING:
    from genrec.sid.vocabulary.bound import BoundVocabulary


class SidVocabulary:
    """The SID tokens of an index, and how texts and codes translate into each other.

    Args:
        codebook_sizes: codes per level, a suffix level included.
        nominal_levels: codes that a SID has at least; `None` means one per level. Levels behind are optional.
        names: what stands before the underscore at each level; `None` means a, b, c, ... Names are unique.

    Raises:
        ValueError: more than 26 levels without names, or names that repeat or hold other characters.
    """

    def __init__(
        self,
        codebook_sizes: Sequence[int],
        nominal_levels: int | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        self.codebook_sizes = tuple(int(size) for size in codebook_sizes)
        self.nominal_levels = len(self.codebook_sizes) if nominal_levels is None else int(nominal_levels)
        self.names = tuple(ascii_lowercase[: len(self.codebook_sizes)] if names is None else names)
        if len(self.names) != len(self.codebook_sizes) or len(set(self.names)) != len(self.names):
            raise ValueError(f"{len(self.codebook_sizes)} levels need as many distinct names, got {self.names}")
        if not all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in self.names):
            raise ValueError(f"level names must be lower-case letters, digits and underscores, got {self.names}")

    @classmethod
    def for_codes(cls, item_codes: ItemCodes) -> SidVocabulary:
        """The vocabulary of an index; one with shared codebooks gets a `BookVocabulary`."""
        if item_codes.books is not None:
            from genrec.sid.vocabulary.books import BookVocabulary

            return BookVocabulary(item_codes.books, item_codes.num_levels, int(item_codes.lengths.min()))
        return cls(item_codes.codebook_sizes, item_codes.nominal_levels)

    def __len__(self) -> int:
        return sum(self.codebook_sizes)

    def well_formed(self, places: Sequence[tuple[int, int]]) -> bool:
        """True when (level, code) pairs are one SID: levels 0, 1, 2, ... and at least `nominal_levels` of them."""
        levels = [level for level, _ in places]
        return levels == list(range(len(levels))) and self.nominal_levels <= len(levels) <= len(self.codebook_sizes)

    def tokens(self) -> list[str]:
        """All tokens: `<a_0>`, `<a_1>`, ..., `<b_0>`, ..."""
        return [self.token(level, code) for level, size in enumerate(self.codebook_sizes) for code in range(size)]

    def token(self, level: int, code: int) -> str:
        """The token of one code.

        Raises:
            ValueError: no such level or code.
        """
        if not 0 <= level < len(self.codebook_sizes) or not 0 <= code < self.codebook_sizes[level]:
            raise ValueError(f"no code {code} at level {level}; codebooks have {self.codebook_sizes} codes")
        return f"<{self.names[level]}_{int(code)}>"

    def text_of(self, codes: Sequence[int]) -> str:
        """The SID text of a code tuple, tokens without separator; padding (-1) at the end is ignored."""
        kept = [int(code) for code in codes if code >= 0]
        return "".join(self.token(level, code) for level, code in enumerate(kept))

    def parse(self, text: str) -> list[tuple[int, ...]]:
        """All complete SIDs in a text, in order.

        A SID is a run of adjacent tokens at levels 0, 1, 2, ...; a run shorter than `nominal_levels` is no
        SID.
        """
        found: list[list[int]] = []
        end = -1
        for match in self._pattern.finditer(text):
            level, code = self._levels[match[1]], int(match[2])
            if level == 0:
                found.append([])
            continues = level == 0 or (found and match.start() == end and level == len(found[-1]))
            end = match.end() if continues and code < self.codebook_sizes[level] else -1
            if end >= 0:
                found[-1].append(code)
        return [tuple(codes) for codes in found if len(codes) >= self.nominal_levels]

    def parse_one(self, text: str) -> tuple[int, ...] | None:
        """The codes of a text that is exactly one SID (surrounding white space aside), else `None`."""
        sids = self.parse(text)
        return sids[0] if len(sids) == 1 and self.text_of(sids[0]) == text.strip() else None

    def bind(self, tokenizer: Any) -> BoundVocabulary:
        """The token ids in a tokenizer that was extended with these tokens."""
        from genrec.sid.vocabulary.bound import BoundVocabulary

        return BoundVocabulary(self, tokenizer)

    @cached_property
    def _levels(self) -> dict[str, int]:
        return {name: level for level, name in enumerate(self.names)}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        names = "|".join(sorted(map(re.escape, self.names), key=len, reverse=True))
        return re.compile(rf"<({names})_(0|[1-9][0-9]*)>")
