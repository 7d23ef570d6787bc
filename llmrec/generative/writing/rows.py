"""How does a list question become tokens? One function for training rows and for questions at inference.

Legend: T tokens of a row, P vectors of a row (the user's, then one per candidate), d width of the aligned space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.escape import escape_text
from llmrec.generative.records import Records
from llmrec.generative.writing.answer import Reasoned, write_answer
from llmrec.generative.writing.prompt import messages
from llmrec.generative.writing.vectors import PLACEHOLDER

LIST_ONLY_REASON = ""


@dataclass
class RowMaker:
    """Puts questions and answers together.

    Attributes:
        records: the catalogue's records.
        tokenizer: with a chat template and, where vectors are used, the placeholder token.
        conditioning: text, vector or both.
        max_history: latest items of a history in a prompt.
    """

    records: Records
    tokenizer: Any
    conditioning: str = "both"
    max_history: int = 5

    def prompt(self, history: Sequence[int], candidates: Sequence[int], wishes: Sequence[str] = (), k: int = 1) -> str:
        """The question as text, up to where the answer begins.

        With vectors the user turn opens with one placeholder for the user and one per candidate; without texts titles
        and values are left out, so that ids and vectors are all there is.
        """
        shown = list(history)[-self.max_history :]
        added = tuple(self.tokenizer.get_added_vocab())
        asked = messages(self.records, shown, candidates, wishes, k, added)
        if self.conditioning != "text":
            body = asked[1]["content"] if self.conditioning == "both" else self._bare(candidates, k)
            asked[1]["content"] = f"{PLACEHOLDER * (1 + len(candidates))}\n{body}"
        return str(self.tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True))

    def answer(self, target: int, reason: str) -> str:
        """The answer as text, with the end token."""
        clean = escape_text(reason, tuple(self.tokenizer.get_added_vocab()))
        return write_answer([Reasoned(self.records[target].item_id, clean)]) + str(self.tokenizer.eos_token)

    def begun(self, item: int) -> str:
        """The beginning of an answer about a given item, up to where its reason begins."""
        clean = escape_text(self.records[item].item_id, tuple(self.tokenizer.get_added_vocab()))
        return write_answer([Reasoned(clean, "")]).removesuffix('"}]}')

    def row(self, prompt: str, answer: str) -> dict[str, list[int]]:
        """`input_ids` and `completion_mask`, both (T,); prompt and answer are tokenised apart, as in generation."""
        first, second = (self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, answer))
        return {"input_ids": [*first, *second], "completion_mask": [0] * len(first) + [1] * len(second)}

    def _bare(self, candidates: Sequence[int], k: int) -> str:
        ids = ", ".join(
            escape_text(self.records[i].item_id, tuple(self.tokenizer.get_added_vocab())) for i in candidates
        )
        return f"<data>\nto choose from: {ids}\n</data>\nRecommend {k} of the items to choose from."


def vectors_of(user: NDArray[np.float32], items: NDArray[np.float32], candidates: Sequence[int]) -> list[list[float]]:
    """Vectors (P, d) of a row: the user's, then the candidates'."""
    return [user.tolist(), *(items[i].tolist() for i in candidates)]
