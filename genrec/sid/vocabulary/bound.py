"""Which token ids do the codes have in this tokenizer?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.sid.codes import PAD, ItemCodes
from genrec.sid.vocabulary.tokens import SidVocabulary


class BoundVocabulary:
    """A `SidVocabulary` with the token ids of one tokenizer.

    Attributes:
        token_ids: per level the ids (N_l,) of its codes.

    Raises:
        ValueError: the tokenizer lacks SID tokens, or splits them.
    """

    def __init__(self, vocabulary: SidVocabulary, tokenizer: Any) -> None:
        self.vocabulary = vocabulary
        known: dict[str, int] = tokenizer.get_added_vocab()
        missing = [token for token in vocabulary.tokens() if token not in known]
        if missing:
            raise ValueError(
                f"the tokenizer lacks {len(missing)} of {len(vocabulary)} SID tokens (first: {missing[0]}); "
                "call extend_tokenizer(tokenizer, vocabulary) first"
            )
        self.token_ids: list[NDArray[np.int64]] = [
            np.array([known[vocabulary.token(level, code)] for code in range(size)], dtype=np.int64)
            for level, size in enumerate(vocabulary.codebook_sizes)
        ]
        self._places = {
            int(token): (level, code)
            for level, ids in enumerate(self.token_ids)
            for code, token in enumerate(ids.tolist())
        }

    def all_ids(self) -> NDArray[np.int64]:
        """Ids of all SID tokens, in the order of `SidVocabulary.tokens`."""
        return np.array(list(dict.fromkeys(np.concatenate(self.token_ids).tolist())), dtype=np.int64)

    def ids_of(self, codes: Sequence[int]) -> list[int]:
        """Token ids of a code tuple; padding (-1) at the end is ignored."""
        kept = [int(code) for code in codes if code >= 0]
        return [int(self.token_ids[level][code]) for level, code in enumerate(kept)]

    def codes_of(self, ids: Sequence[int]) -> tuple[int, ...] | None:
        """The code tuple that token ids spell, or `None` when they are not exactly one SID."""
        places = [self._places[int(token)] for token in ids if int(token) in self._places]
        if len(places) < len(ids) or not self.vocabulary.well_formed(places):
            return None
        return tuple(code for _, code in places)

    def token_codes(self, item_codes: ItemCodes) -> NDArray[np.int64]:
        """Token ids of every item, (num_items, H) padded with -1: what a token trie is built from."""
        table = np.full(item_codes.codes.shape, PAD, dtype=np.int64)
        for level, ids in enumerate(self.token_ids[: item_codes.num_levels]):
            codes = item_codes.codes[:, level]
            table[:, level] = np.where(codes >= 0, ids[codes], PAD)
        return table
