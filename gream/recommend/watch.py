"""Who hears a chain while it is drawn, and who may end it? A watch that listens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

UNFINISHED = "\ufffd"


class ChainWatch:
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

    def __call__(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Look at all completions after a token; see `genrec.decoding.sampling.Watch`."""
        samples = len(tokens) // max(1, len(self._listeners))
        for prompt, listener in enumerate(self._listeners):
            if listener is not None and not self._gone[prompt]():
                row = prompt * samples
                self._tell(prompt, listener, tokens[row, : int(lengths[row])])
        ends = [gone() for gone in self._gone for _ in range(samples)]
        return torch.tensor(ends, dtype=torch.bool, device=tokens.device)

    def _tell(self, prompt: int, listener: Callable[[str], None], tokens: Tensor) -> None:
        """Pass on what is new; half a character waits for its other half."""
        text = self._tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        told = self._told[prompt]
        if text.startswith(told) and len(text) > len(told) and not text.endswith(UNFINISHED):
            self._told[prompt] = text
            listener(text[len(told) :])
