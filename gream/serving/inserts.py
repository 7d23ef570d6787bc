"""How does a running server take new items? Codes from the frozen codebooks, a longer catalogue, the same weights.

Every batch is written down before anybody sees it; a server that starts again takes them once more, in the same order,
so they get the same semantic IDs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genrec.data.catalogue import Catalogue
from genrec.data.files import read_jsonl
from genrec.llm.encoders import TextEncoder, load_encoder
from gream.grow import grow
from gream.indexing import ItemIndex
from gream.recommend import GreamRecommender


class Inserter:
    """Makes recommenders with more items.

    Args:
        index: The index of the checkpoint, with codebooks and vectors.
        encoder: The text encoder of the index, as spec or object; loaded at the first insert.
        journal: JSON lines, one list of item records per batch.
    """

    def __init__(self, index: ItemIndex, encoder: str | TextEncoder, journal: Path) -> None:
        self._index, self._encoder, self._journal = index, encoder, journal

    def replay(self, recommender: GreamRecommender) -> GreamRecommender:
        """The recommender with all items that earlier servers took."""
        for line in read_jsonl(self._journal) if self._journal.is_file() else ():
            recommender = self._longer(recommender, line["items"])
        return recommender

    def insert(self, recommender: GreamRecommender, records: Sequence[Mapping[str, Any]]) -> GreamRecommender:
        """Take new items and write them down.

        Args:
            recommender: The present one; it stays as it is.
            records: See `genrec.serving.door.Grower`.

        Returns:
            A recommender on the same weights whose catalogue ends with the new items.

        Raises:
            ValueError: The index takes no items, has no free code for them, or belongs to another checkpoint.
        """
        before = self._index
        try:
            longer = self._longer(recommender, records)
            self._write(records)
        except BaseException:
            self._index = before
            raise
        return longer

    def _longer(self, recommender: GreamRecommender, records: Sequence[Mapping[str, Any]]) -> GreamRecommender:
        if isinstance(self._encoder, str):
            self._encoder = load_encoder(self._encoder)
        longer, self._index = grow(recommender, self._index, Catalogue.from_records(records), self._encoder)
        return longer

    def _write(self, records: Sequence[Mapping[str, Any]]) -> None:
        """One line, on disk when this returns."""
        self._journal.parent.mkdir(parents=True, exist_ok=True)
        with self._journal.open("ab") as journal:
            journal.write(json.dumps({"items": [dict(record) for record in records]}).encode("ascii") + b"\n")
            journal.flush()
            os.fsync(journal.fileno())
