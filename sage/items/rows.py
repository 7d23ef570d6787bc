"""How does a model read a history and learn from it? Prompts and packed rows, put together from token ids.

Layout: the opening of a chat turn, then each item's name and the end token, oldest first. Every prefix of a training
row that ends with an end token is, token for token, the prompt of that prefix: training and inference cannot drift.
Legend: T tokens of a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.llm.template import render_user_turn
from sage.gradient.trainer import COLUMN
from sage.items.names import NativeNames

TASK = "Recommend what comes next."
Row = dict[str, list[int]]


class Speller:
    """Token ids of histories and answers.

    Args:
        names: the items' spellings.
        tokenizer: the model's; its chat template opens the prompt where it has one.
        max_history: latest items that a prompt shows.
    """

    def __init__(self, names: NativeNames, tokenizer: Any, max_history: int = 20) -> None:
        if max_history < 1:
            raise ValueError(f"max_history must be at least 1 item, got {max_history}")
        self.names, self.max_history = names, max_history
        text = render_user_turn(tokenizer, TASK) if getattr(tokenizer, "chat_template", None) else f"{TASK}\n"
        self.opening = [int(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"]]

    def prompt(self, history: Sequence[int]) -> list[int]:
        """Tokens before the next item's name."""
        ids = list(self.opening)
        for item in history[-self.max_history :]:
            ids += self.names.answer_ids(int(item))
        return ids

    def rows(self, history: Sequence[int], overlap: int = 5) -> Iterator[Row]:
        """Packed rows of a history: every item but the first is a target exactly once.

        Args:
            history: dense items, oldest first.
            overlap: least context, in items, of a target in the later rows of a long history.

        Yields:
            `input_ids`, `completion_mask` and `history_length`, each (T,); the last is the number of items that were
            known before a token's item.
        """
        for start, first_target, stop in windows(len(history), self.max_history, overlap):
            ids = list(self.opening)
            mask, lengths = [0] * len(ids), [0] * len(ids)
            for place in range(start, stop):
                answer = self.names.answer_ids(int(history[place]))
                ids += answer
                mask += [int(place >= first_target)] * len(answer)
                lengths += [place] * len(answer)
            yield {"input_ids": ids, "completion_mask": mask, COLUMN: lengths}


def windows(length: int, max_history: int, overlap: int) -> list[tuple[int, int, int]]:
    """Where the packed rows of a history lie.

    Args:
        length: items of the history.
        max_history: most items before a target.
        overlap: items of context before the first target of a later row; at most `max_history`.

    Returns:
        (start, first target, stop) per row, oldest first; targets cover 1 ... length - 1 once.
    """
    context = min(max(1, overlap), max_history)
    found, target = [], 1
    while target < length:
        start = max(0, target - context)
        stop = min(length, start + max_history + 1)
        found.append((start, target, stop))
        target = stop
    return found


def training_rows(train: Sequence[NDArray[np.int64]], speller: Speller, overlap: int = 5) -> Any:
    """Table of all packed rows.

    Args:
        train: training histories; shorter ones than 2 items give no row.
        speller: names and prompt.
        overlap: see `Speller.rows`.

    Raises:
        ValueError: no history gives a row.
    """
    from datasets import Dataset

    rows = [row for history in train for row in speller.rows(history.tolist(), overlap)]
    if not rows:
        raise ValueError("no training history has 2 items, so there is nothing to learn from")
    return Dataset.from_list(rows)
