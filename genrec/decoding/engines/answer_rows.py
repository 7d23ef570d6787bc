"""How does one step of an engine stay inside chain and catalogue? One token is left of every row of logits.

Legend: R rows of a step, V output rows of the model. A row runs free up to the closing marker; then tags, item and end
are forced or taken from the children of the trie. Nothing here knows vLLM.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genrec.decoding.constraint import AnswerConstraint
from genrec.decoding.engines.protocol import AnswerSettings
from genrec.decoding.sampling import nucleus_pick
from genrec.decoding.trie import ROOT

NEVER = float("-inf")


class AnswerRow:
    """Where one completion stands, and its share of chance.

    Args:
        settings: How it is drawn; two rows with the same seed draw alike.
        output: Its tokens so far; the engine appends to this list.
        constraint: What an answer is.
    """

    def __init__(self, settings: AnswerSettings, output: list[int], constraint: AnswerConstraint) -> None:
        self.settings, self.constraint, self.step = settings, constraint, 0
        self._output, self._open, self._node = output, bool(constraint.start), ROOT
        self._forced = [] if self._open else list(constraint.prefix)
        generator = torch.Generator().manual_seed(settings.seed)
        self._uniform = torch.rand(settings.max_tokens, generator=generator).tolist()

    @property
    def uniform(self) -> float:
        """The number in [0, 1) that decides the next token."""
        return float(self._uniform[self.step])

    def catch_up(self) -> None:
        """Read what was written since the last step."""
        while self.step < len(self._output):
            self.step += 1
            self._follow(self._output[self.step - 1])

    def _follow(self, token: int) -> None:
        constraint = self.constraint
        if self._forced:
            self._forced.pop(0)
        elif self._open:
            if tuple(self._output[max(0, self.step - len(constraint.start)) : self.step]) == constraint.start:
                self._open, self._forced = False, list(constraint.prefix)
        else:
            self._node = constraint.trie.child(self._node, token)
            if self._node < 0:
                raise ValueError(f"token {token} leads nowhere in the trie; the engine drew what was forbidden")
            if constraint.trie.leaf_items[self._node] >= 0 and token != constraint.eos_id:
                self._forced = list(constraint.ending)

    def allowed(self) -> list[int] | None:
        """Tokens that may follow; None while the chain is free."""
        constraint = self.constraint
        if not self._open:
            return self._forced[:1] or constraint.trie.children_of(self._node).tolist() or [constraint.eos_id]
        late = self.step - self.settings.deadline
        if self.settings.close and 0 <= late < len(constraint.start):
            return [constraint.start[late]]
        return None


def leave_one(logits: Tensor, rows: Sequence[AnswerRow]) -> Tensor:
    """Draw the next token of every row.

    Args:
        logits: (R, V) as the model gave them; changed in place.
        rows: The R completions.

    Returns:
        (R, V) -inf but for the drawn token, which carries its log-probability at temperature 1 under the constraint.

    Source: ours; the same distribution as `sample_completions` with CloseChain and TrieLogitsProcessor.
    """
    for place, row in enumerate(rows):
        row.catch_up()
        _forbid(logits[place], row)
    log_probs = logits.log_softmax(-1)
    tokens = draw(log_probs, rows)[:, None]
    return torch.full_like(log_probs, NEVER).scatter_(1, tokens, log_probs.gather(1, tokens))


def _forbid(logits: Tensor, row: AnswerRow) -> None:
    """Set what a row (V,) may not go on with to -inf."""
    first, end = row.settings.padded
    logits[first:end] = NEVER
    allowed = row.allowed()
    if allowed is not None:
        kept = logits[allowed]
        logits.fill_(NEVER)
        logits[allowed] = kept
    elif row.settings.close and row.step < row.settings.deadline:
        logits[row.constraint.eos_id] = NEVER


def draw(log_probs: Tensor, rows: Sequence[AnswerRow]) -> Tensor:
    """Tokens (R,) for log-probabilities (R, V): greedy, or each from its own nucleus at its own temperature."""
    tokens = log_probs.argmax(-1)
    kinds = [(row.settings.temperature, row.settings.top_p) for row in rows]
    for temperature, top_p in sorted({kind for kind in kinds if kind[0] > 0}):
        same = [place for place, kind in enumerate(kinds) if kind == (temperature, top_p)]
        uniform = torch.tensor([rows[place].uniform for place in same], device=log_probs.device)
        places = torch.tensor(same, device=log_probs.device)
        tokens[places] = nucleus_pick(log_probs[places] / temperature, top_p, uniform)
    return tokens
