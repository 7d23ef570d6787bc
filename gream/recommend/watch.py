"""Who hears a chain while it is drawn, and who may end it? A stopping criterion that listens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria

UNFINISHED = "\ufffd"


class ChainWatch(StoppingCriteria):
    """Passes the text of each prompt's first sample on, and ends the rows of callers who have left.

    Args:
        tokenizer: Turns tokens into text.
        listeners: One per prompt, or None: called with each new piece of the first sample.
        gone: One per prompt: True when nobody waits for its answer any more.
    """

    def __init__(
        self,
        tokenizer: Any,
        listeners: Sequence[Callable[[str], None] | None],
        gone: Sequence[Callable[[], bool]],
    ) -> None:
        self._tokenizer, self._listeners, self._gone = tokenizer, listeners, gone
        self._told = [""] * len(listeners)
        self._prompt_length, self._n = 0, 1

    def begin(self, prompt_length: int, n: int) -> None:
        """Say where completions begin (T tokens of prompt), and how many samples each prompt has."""
        self._prompt_length, self._n = prompt_length, n

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        """Look at the rows (B * n, T + S) after a token; True ends a row."""
        new = input_ids[:, self._prompt_length :]
        for prompt, listener in enumerate(self._listeners):
            if listener is not None and not self._gone[prompt]():
                self._tell(prompt, listener, new[prompt * self._n])
        ends = [gone() for gone in self._gone for _ in range(self._n)]
        return torch.tensor(ends, dtype=torch.bool, device=input_ids.device)

    def _tell(self, prompt: int, listener: Callable[[str], None], tokens: Tensor) -> None:
        """Pass on what is new; half a character waits for its other half."""
        text = self._tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        told = self._told[prompt]
        if text.startswith(told) and len(text) > len(told) and not text.endswith(UNFINISHED):
            self._told[prompt] = text
            listener(text[len(told) :])
