"""Who writes the list? Rules, or a chat model; each sees the retrieved items and returns items with reasons.

A chat model that fails (no answer, no JSON) is replaced by the rules for that list, and the failure is counted.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from genrec.llm.chat import ChatError, ChatModel
from llmrec.generative.records import Records
from llmrec.generative.writing.answer import SCHEMA, Reasoned, parse_answer
from llmrec.generative.writing.grounding import plain_reason
from llmrec.generative.writing.prompt import messages

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """What a writer is asked.

    Attributes:
        history: dense items, oldest first.
        retrieved: dense items to choose from, best first.
        wishes: what the user said.
        k: items wanted.
    """

    history: Sequence[int]
    retrieved: Sequence[int]
    wishes: Sequence[str] = ()
    k: int = 5


class Writer(Protocol):
    """Writes a list with reasons.

    Attributes:
        name: goes into reports.
    """

    name: str

    def write(self, question: Question) -> list[Reasoned]:
        """At most `k` items with reasons, unchecked."""
        ...


def written(writer: Writer, questions: Sequence[Question]) -> list[list[Reasoned]]:
    """Lists for many questions, in batches where the writer can."""
    many = getattr(writer, "write_all", None)
    return many(questions) if many else [writer.write(question) for question in questions]


class RuleWriter:
    """The first k retrieved items, each with what it shares with the history: true by construction.

    Args:
        records: the catalogue's records.
    """

    name = "rules"

    def __init__(self, records: Records) -> None:
        self.records = records

    def write(self, question: Question) -> list[Reasoned]:
        """See `Writer`."""
        chosen = list(question.retrieved)[: question.k]
        return [Reasoned(self.records[i].item_id, plain_reason(self.records, i, question.history)) for i in chosen]


class AttentionWriter:
    """The explanation that attention gives: "because you chose X", with a value of X taken for the item's own.

    The baseline of reason accuracy: the history item with the largest weight explains, whatever the item is.

    Args:
        records: the catalogue's records.
        weights: (V, V)-like similarity, row of an item gives its weight on every other.
    """

    name = "attention"

    def __init__(self, records: Records, weights: object) -> None:
        self.records, self.weights = records, weights

    def write(self, question: Question) -> list[Reasoned]:
        """See `Writer`."""
        return [self._one(i, question.history) for i in list(question.retrieved)[: question.k]]

    def _one(self, item: int, history: Sequence[int]) -> Reasoned:
        record = self.records[item]
        if not history:
            return Reasoned(record.item_id, "")
        past = max(history, key=lambda other: float(self.weights[item, other]))  # type: ignore[index]
        source = self.records[past]
        value = next(iter(source.values.values()), None)
        cited = f", and this is {value.text} too" if value else ""
        return Reasoned(record.item_id, f'Because you chose "{source.title}"{cited}.')


class ChatWriter:
    """A chat model, prompted or fine-tuned.

    Args:
        model: the chat model.
        records: the catalogue's records.
        shown: retrieved items that the prompt lists; fewer fit small models.
    """

    def __init__(self, model: ChatModel, records: Records, shown: int = 10) -> None:
        if shown < 1:
            raise ValueError(f"shown must be at least 1 item, got {shown}")
        self.model, self.records, self.shown = model, records, shown
        self.rules, self.name = RuleWriter(records), f"chat:{model.name}"
        self.failures = 0

    def write(self, question: Question) -> list[Reasoned]:
        """See `Writer`."""
        retrieved = list(question.retrieved)[: self.shown]
        asked = messages(
            self.records, question.history, retrieved, question.wishes, question.k, self.model.added_tokens
        )
        try:
            return parse_answer(self.model.complete(asked, SCHEMA), question.k)
        except (ChatError, ValueError) as error:
            self.failures += 1
            logger.warning("%s gave no list (%s); the rules wrote it", self.name, error)
            return self.rules.write(question)
