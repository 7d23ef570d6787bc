"""What steers a chain while it is drawn? It is closed in time for an answer.

Legend: B completions, T prompt tokens, S new tokens, V output rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor


class CloseChain(LogitsProcessor):  # type: ignore[misc]
    """Makes sure that every chain is closed in time for an answer.

    While a chain is open the end token is forbidden; at the deadline the marker is written.

    Args:
        marker: Tokens that end a chain (`</think>`).
        end_id: Token that ends a completion.
        prompt_length: T.
        deadline: New tokens after which an open chain must close.
    """

    def __init__(self, marker: Sequence[int], end_id: int, prompt_length: int, deadline: int) -> None:
        self._marker, self._end_id = tuple(marker), end_id
        self._prompt_length, self._deadline = prompt_length, deadline

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Steer open chains; scores (B, V) of rows that are closed stay as they are."""
        new = input_ids[:, self._prompt_length :]
        late = new.shape[1] - self._deadline  # tokens of the marker that are written by now, if it was forced
        is_open = ~self._holds_marker(new)
        scores = scores.clone()
        if late < 0:
            scores[is_open, self._end_id] = float("-inf")
        elif late < len(self._marker):
            scores[is_open] = float("-inf")
            scores[is_open, self._marker[late]] = 0.0
        return scores

    def _holds_marker(self, new: Tensor) -> Tensor:
        """(B,) True where the new tokens (B, S) contain the whole marker."""
        width = len(self._marker)
        if new.shape[1] < width:
            return torch.zeros(len(new), dtype=torch.bool, device=new.device)
        windows = new.unfold(1, width, 1)  # (B, S - width + 1, width)
        return (windows == torch.as_tensor(self._marker, device=new.device)).all(dim=2).any(dim=1)
