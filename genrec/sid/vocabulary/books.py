"""Which texts are tokens of codebooks that positions share? `<cf_0_17>`: the codebook says kind and level.

An item of FlexCode is `<cf_0_..> ... <cf_k_..> <sem_0_..> ... <sem_m_..>` with k and m of its own, so `<sem_0_..>` may
stand first, second, ... A SID ends in a token of the last kind, and the levels of a kind count up from 0: that makes
every text of adjacent SIDs readable in one way only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from genrec.sid.vocabulary.tokens import SidVocabulary


class BookVocabulary(SidVocabulary):
    """The SID tokens of an index whose positions draw from one alphabet.

    Args:
        books: name (`kind_level`) and size of each codebook, the levels of a kind adjacent and counting up from 0.
        num_levels: codes of the longest SID.
        shortest: codes of the shortest SID.

    Raises:
        ValueError: names of another form or order.
    """

    def __init__(self, books: Sequence[tuple[str, int]], num_levels: int, shortest: int = 1) -> None:
        found = [re.fullmatch(r"([a-z]+)_([0-9]+)", name) for name, _ in books]
        places = [(match[1], int(match[2])) if match else ("", 0) for match in found]
        self.kinds = tuple(dict.fromkeys(kind for kind, _ in places))
        expected = [(kind, n) for kind in self.kinds for n in range(sum(k == kind for k, _ in places))]
        if not books or "" in self.kinds or places != expected:
            raise ValueError(f"codebooks must be named like cf_0, cf_1, sem_0, in this order, got {list(books)}")
        self.books = tuple((name, int(size)) for name, size in books)
        self._entries = [
            (name, code, self.kinds.index(kind), level)
            for (name, size), (kind, level) in zip(self.books, places, strict=True)
            for code in range(size)
        ]
        super().__init__((len(self._entries),) * num_levels, shortest)

    def __len__(self) -> int:
        return len(self._entries)

    def tokens(self) -> list[str]:
        """All tokens, codebook by codebook."""
        return [self.token(0, code) for code in range(len(self))]

    def token(self, level: int, code: int) -> str:
        """The token of one code, the same at every level.

        Raises:
            ValueError: no such code.
        """
        if not 0 <= code < len(self):
            raise ValueError(f"no code {code} at level {level}; the codebooks {self.books} have {len(self)} codes")
        name, number, _, _ = self._entries[code]
        return f"<{name}_{number}>"

    def well_formed(self, places: Sequence[tuple[int, int]]) -> bool:
        """True when (level, code) pairs are one SID; the levels are not looked at, the codes tell them."""
        codes = [code for _, code in places]
        chained = all(self._follows(codes[n - 1] if n else None, code) for n, code in enumerate(codes))
        return chained and self._complete(codes)

    def parse(self, text: str) -> list[tuple[int, ...]]:
        """All complete SIDs in a text, in order; what breaks the order of levels or kinds begins another."""
        runs: list[list[int]] = []
        end = -1
        for match in self._token_pattern.finditer(text):
            code = self._numbers.get(match[0])
            if code is None:
                end = -1
                continue
            if runs and match.start() == end and self._follows(runs[-1][-1], code):
                runs[-1].append(code)
            elif self._follows(None, code):
                runs.append([code])
            else:
                end = -1
                continue
            end = match.end()
        return [tuple(run) for run in runs if self._complete(run)]

    def _follows(self, before: int | None, code: int) -> bool:
        """May `code` stand behind `before` (None: at the beginning)?"""
        _, _, kind, level = self._entries[code]
        if before is None:
            return level == 0
        _, _, kind_before, level_before = self._entries[before]
        return level == level_before + 1 if kind == kind_before else kind > kind_before and level == 0

    def _complete(self, codes: Sequence[int]) -> bool:
        """Long enough, not too long, and ending in the last kind?"""
        fits = self.nominal_levels <= len(codes) <= len(self.codebook_sizes)
        return fits and self._entries[codes[-1]][2] == len(self.kinds) - 1

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {token: code for code, token in enumerate(self.tokens())}

    @cached_property
    def _token_pattern(self) -> re.Pattern[str]:
        return re.compile(rf"<(?:{'|'.join(map(re.escape, self.kinds))})_[0-9]+_[0-9]+>")
