"""Who answers a user? Retrieval in the common space, constraints, a writer, the checker; a turn in, a turn out.

Legend: V items, d width of the common space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genrec.backbones.retrieve import ExactRetriever, FaissRetriever, Retriever
from genrec.data.catalogue import Catalogue
from genrec.llm.encoders import TextEncoder
from llmrec.generative.alignment.heads import AlignmentHeads
from llmrec.generative.feedback.apply import allowed_items, moved, relaxed
from llmrec.generative.feedback.rules import RuleParser
from llmrec.generative.feedback.state import ConversationState
from llmrec.generative.feedback.wishes import Wishes
from llmrec.generative.records import Records
from llmrec.generative.writing.grounding import GroundingChecker, Report
from llmrec.generative.writing.writers import Question, RuleWriter, Writer

LARGE = 50_000  # items above which FAISS's inverted file searches instead of all of them being scored


class Parser(Protocol):
    """Reads a user's words."""

    def parse(self, message: str, shown: Sequence[str] = ()) -> Wishes:
        """Wishes of a message about the list `shown`."""
        ...


@dataclass(frozen=True)
class Listed:
    """One line of an answer."""

    item: int
    item_id: str
    title: str
    reason: str
    score: float


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        items: the list, best first.
        state: to be sent back with the next message.
        note: what had to be given up to find anything; empty else.
        report: what the checker found.
    """

    items: list[Listed]
    state: ConversationState
    note: str
    report: Report


class GenerativeRecommender:
    """LLMRec's recommender.

    Args:
        heads: the alignment heads.
        catalogue: the items, in the order of the heads.
        encoder: of the heads' text vectors; places what users say.
        writer: writes lists; rules by default.
        parser: reads feedback; rules by default.
        pool: items retrieved per list.
        gain: how far wishes move the user vector.

    Raises:
        ValueError: heads and catalogue differ in size.
    """

    def __init__(
        self,
        heads: AlignmentHeads,
        catalogue: Catalogue,
        encoder: TextEncoder,
        writer: Writer | None = None,
        parser: Parser | None = None,
        pool: int = 50,
        gain: float = 0.75,
    ) -> None:
        if heads.num_items != len(catalogue):
            raise ValueError(f"heads of {heads.num_items} items for a catalogue of {len(catalogue)}; retrain the heads")
        self.heads, self.catalogue, self.encoder = heads, catalogue, encoder
        self.records = Records(catalogue)
        self.writer, self.parser = writer or RuleWriter(self.records), parser or RuleParser(self.records)
        self.checker, self.pool, self.gain = GroundingChecker(self.records), pool, gain
        self.vectors = heads.item_vectors()
        make = FaissRetriever if len(self.vectors) > LARGE else ExactRetriever
        self.retriever: Retriever = make(self.vectors)

    def respond(self, state: ConversationState, message: str | None = None, k: int = 5) -> Reply:
        """The next list.

        Args:
            state: the conversation so far; it is not changed.
            message: the user's words; None for a first list.
            k: items wanted.

        Raises:
            ValueError: an unknown item id in the history, or k below 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        wishes = state.wishes
        if message and message.strip():
            wishes = wishes.merged(self.parser.parse(message, state.shown))
        history = [self.catalogue.index_of(item_id) for item_id in state.history]
        items, scores, note = self.retrieve(history, wishes, state.interests)
        said = [*state.interests, *state.turns, *([message] if message else [])]
        question = Question(history[-10:], items, said[-3:], k)
        report = self.checker.check(self.writer.write(question), items, history)
        of = dict(zip(items, scores, strict=True))
        listed = [self._listed(row.item, row.reason, of[row.item]) for row in report.kept]
        turns = [*state.turns, message] if message else list(state.turns)
        shown = [row.item_id for row in listed]
        return Reply(listed, replace(state, wishes=wishes, shown=shown, turns=turns), note, report)

    def retrieve(
        self, history: Sequence[int], wishes: Wishes, interests: Sequence[str] = ()
    ) -> tuple[list[int], list[float], str]:
        """Items that meet the wishes, nearest to the moved user first, history left out.

        Returns:
            Items, scores, and what had to be given up.
        """
        user = self.user_vector(history, wishes, interests)
        note, allowed = self._allowed(history, wishes)
        forbidden = np.flatnonzero(~allowed)
        found, scores = self.retriever.search(user[None], self.pool, [forbidden])
        real = found[0] >= 0
        return found[0][real].tolist(), [float(s) for s in scores[0][real]], note

    def _allowed(self, history: Sequence[int], wishes: Wishes) -> tuple[str, NDArray[np.bool_]]:
        """Items (V,) that may be listed, and what had to be given up so that there are any."""
        for note, tried in [("", wishes), *relaxed(wishes)]:
            allowed = allowed_items(tried, self.records)
            allowed[list(history)] = False
            if allowed.any():
                return note, allowed
        return "", allowed

    def user_vector(self, history: Sequence[int], wishes: Wishes, interests: Sequence[str] = ()) -> NDArray[np.float32]:
        """The user (d,) after everything that was said."""
        start = self.heads.encode([np.asarray(history, dtype=np.int64)])[0].numpy()
        towards = [*self._items(wishes.liked), *self._texts([*wishes.more, *wishes.require, *interests])]
        away = [*self._items(wishes.disliked), *self._texts([*wishes.less, *wishes.avoid])]
        if not towards and not away:
            return start
        return moved(start, np.array(towards), np.array(away), self.gain)

    def _items(self, item_ids: Sequence[str]) -> list[NDArray[np.float32]]:
        """Vectors of items by id; ids that the catalogue does not know are left out."""
        known = self.records.items
        return [self.vectors[known[i]] for i in item_ids if i in known]

    def _texts(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """Vectors of what was said, where the heads can place texts."""
        if not texts or self.heads.config.features == "id":
            return []
        return list(self.heads.place_texts(self.encoder.encode(list(texts))))

    def _listed(self, item: int, reason: str, score: float) -> Listed:
        record = self.records[item]
        return Listed(item, record.item_id, record.title, reason, round(score, 6))
