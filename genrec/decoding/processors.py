"""How does transformers' `generate` stay inside the catalogue? Stateless logits processors.

Legend: B sequences, T tokens so far (prompt and completion), V rows of the output matrix.
"""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import LogitsProcessor

from genrec.decoding.constraint import AnswerConstraint


class TrieLogitsProcessor(LogitsProcessor):  # type: ignore[misc]
    """Lets the chain run free and then allows only tags, an existing item and the end.

    Stateless: what is allowed is read off the tokens themselves, so one object serves any number of
    `generate`
    calls with the same prompt length, beams may be re-ordered, and several processes agree.

    Args:
        constraint: the answer constraint.
        prompt_length: T of the (left-padded) prompts given to `generate`; what they contain is never looked
            at.
    """

    def __init__(self, constraint: AnswerConstraint, prompt_length: int) -> None:
        """Remember the constraint and where completions begin."""
        self.constraint = constraint
        self.prompt_length = prompt_length

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Set the scores of forbidden tokens to -inf.

        Args:
            input_ids: (B, T) prompt and completion so far.
            scores: (B, V) logits or log-probabilities of the next token.

        Returns:
            (B, V) new tensor; rows still in their free chain are unchanged.
        """
        scores = scores.clone()
        generated = input_ids[:, self.prompt_length :]
        for row in self._rows_past_the_chain(generated):
            allowed = self.constraint.allowed(generated[row].tolist())
            if allowed is not None:
                index = torch.from_numpy(allowed).to(scores.device)
                kept = scores[row, index]
                scores[row] = float("-inf")
                scores[row, index] = kept
        return scores

    def _rows_past_the_chain(self, generated: Tensor) -> list[int]:
        """Rows that may hold the whole start marker: a cheap vectorised test before the exact one."""
        start = self.constraint.start
        if not start:
            return list(range(len(generated)))
        return (generated == start[-1]).any(dim=1).nonzero()[:, 0].tolist()
