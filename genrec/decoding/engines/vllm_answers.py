"""How does vLLM write a chain and an existing item in one request? A logits processor inside its engine.

The token is drawn here (`answer_rows`): to vLLM the requests are greedy, so it neither sorts the vocabulary for a
nucleus nor keeps a generator per request. `logprobs_mode="processed_logits"` hands back what is left of a row: the
log-probability of the drawn token. vLLM imports this module by its name in its own process; nothing else needs it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from vllm import SamplingParams
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor, MoveDirectionality

from genrec.decoding.constraint import AnswerConstraint
from genrec.decoding.engines.answer_rows import AnswerRow, leave_one
from genrec.decoding.engines.protocol import AnswerSettings
from genrec.decoding.engines.vllm import KEY
from genrec.decoding.trie import Trie


class AnswerProcessor(LogitsProcessor):  # type: ignore[misc]
    """Draws the rows of requests that carry `extra_args[KEY]`; others pass unchanged.

    Args:
        vllm_config: Holds `additional_config[KEY]`: folder of the trie and the tokens around an answer.
        device: Of the logits.
        is_pin_memory: Not used.
    """

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        facts = vllm_config.additional_config[KEY]
        tokens = (facts["start"], facts["prefix"], facts["suffix"], facts["eos"])
        self._constraint = AnswerConstraint(Trie.load(facts["trie"]), *tokens)
        self._rows: dict[int, AnswerRow | None] = {}  # None: a request that only wants log-probabilities

    def is_argmax_invariant(self) -> bool:
        """It decides the token."""
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        """Follow requests that came, went or moved."""
        if batch_update is None:
            return
        for index in batch_update.removed:
            self._rows.pop(index, None)
        for index, params, _, output in batch_update.added:
            self._rows.pop(index, None)
            self._add(index, params, output)
        for source, target, direction in batch_update.moved:
            rows = {place: self._rows.pop(place) for place in (source, target) if place in self._rows}
            if source in rows:
                self._rows[target] = rows[source]
            if target in rows and direction == MoveDirectionality.SWAP:
                self._rows[source] = rows[target]

    def _add(self, index: int, params: SamplingParams, output: list[int]) -> None:
        asked = (params.extra_args or {}).get(KEY)
        if asked is not None:
            settings = AnswerSettings(**{**asked, "padded": tuple(asked["padded"])}) if asked else None
            self._rows[index] = None if settings is None else AnswerRow(settings, output, self._constraint)

    def apply(self, logits: Tensor) -> Tensor:
        """Leave one token per drawn row, and log-probabilities in scored rows."""
        drawn = {index: row for index, row in self._rows.items() if row is not None}
        scored = [index for index, row in self._rows.items() if row is None]
        if drawn:
            places = torch.tensor(list(drawn), device=logits.device)
            logits[places] = leave_one(logits[places], list(drawn.values()))
        if scored:
            logits[scored] = logits[scored].log_softmax(-1)
        return logits
