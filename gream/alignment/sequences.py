"""How do training histories become rows of sequential recommendation, packed or expanded?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gream.alignment.corpus import Corpus
from gream.alignment.packing import Chunk, expand_history, pack_history
from gream.prompts.formatter import Formatter
from gream.prompts.tokens import Encoded
from gream.prompts.wordings import SEQUENTIAL


class SequenceRows:
    """Token rows of histories, put together from ids that are looked up once.

    Args:
        formatter: the formatter; SID tokens are added tokens, so their ids do not depend on the neighbours.
    """

    def __init__(self, formatter: Formatter) -> None:
        self.formatter = formatter
        self._openings: dict[int, list[int]] = {}
        self._sids: dict[int, list[int]] = {}

    def encode(self, history: list[int], chunk: Chunk, wording: int) -> Encoded:
        """Return one row: opening, SIDs of the shown items, mask 1 on the targets' tokens.

        Args:
            history: dense items, oldest first.
            chunk: which items are shown and which are targets.
            wording: wording of the user turn.
        """
        ids = list(self.opening(wording, history[chunk.start], history[chunk.start + 1]))
        mask = [0] * len(ids)
        for position in range(chunk.start, chunk.stop):
            sid = self.sid(history[position])
            ids += sid
            mask += [int(position >= chunk.first_target)] * len(sid)
        return ids, mask

    def sid(self, item: int) -> list[int]:
        """Return the token ids of an item's SID, cached."""
        if item not in self._sids:
            self._sids[item] = self.formatter.sid_ids(item)
        return self._sids[item]

    def opening(self, wording: int, first: int, second: int) -> list[int]:
        """Return the ids before the first SID, cached.

        On first use the looked-up ids are held against the tokenizer's reading of a whole row.

        Raises:
            ValueError: when the tokenizer reads a prompt in another way than piece by piece.
        """
        if wording not in self._openings:
            opening = self.formatter.encode_prompt(self.formatter.direct_prompt([], wording))
            whole, _ = self.formatter.encode(self.formatter.direct_prompt([first], wording), self.formatter.sid(second))
            if opening + self.sid(first) + self.sid(second) != whole:
                raise ValueError(f"wording {wording}: the tokenizer changes SID tokens with their neighbours")
            self._openings[wording] = opening
        return self._openings[wording]


class TokenRow(NamedTuple):
    """A row of tokens.

    Attributes:
        input_ids: tokens.
        completion_mask: 1 means the token is a target.
        teacher: one position of the teacher's table per next item of the row; none: its tokens are its labels.
    """

    input_ids: list[int]
    completion_mask: list[int]
    teacher: Sequence[int] = ()


def sequence_rows(corpus: Corpus) -> Iterator[TokenRow]:
    """Yield the rows of all users with at least two training items."""
    config, max_history = corpus.config, corpus.formatter.config.max_history
    rows, rng = SequenceRows(corpus.formatter), corpus.generator(SEQUENTIAL)
    users = [user for user, history in enumerate(corpus.histories) if len(history) >= 2]
    for user in corpus.select(SEQUENTIAL, users, rng):
        history, places = corpus.history(user, rng)
        wording = corpus.pick_wording(SEQUENTIAL, rng)
        for chunk in chunks_of(len(history), max_history, config.packed, config.overlap_for(max_history)):
            taught = places[chunk.first_target : chunk.stop] if config.teacher_share else ()
            yield TokenRow(*rows.encode(history, chunk, wording), corpus.positions(user, taught))


def chunks_of(length: int, max_history: int, packed: bool, overlap: int) -> list[Chunk]:
    """Return the packed or the expanded rows of a history of `length` items."""
    return pack_history(length, max_history, overlap) if packed else expand_history(length, max_history)
