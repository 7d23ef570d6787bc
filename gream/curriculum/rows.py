"""Which rows teach the model to reason? One per chain, in the layout that inference asks for."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from genrec.data.chains import Chain
from gream.alignment.build import table_of
from gream.alignment.corpus import chains_by_user
from gream.alignment.sequences import TokenRow
from gream.prompts import Formatter
from gream.prompts.tokens import Pair
from gream.prompts.wordings import REASONING, WORDINGS

if TYPE_CHECKING:
    from datasets import Dataset as RowTable

logger = logging.getLogger(__name__)


def build_reasoning_rows(
    chains: Iterable[Chain],
    split: Any,
    dataset: Any,
    formatter: Formatter,
    *,
    wording_variety: float = 0.5,
    max_length: int | None = None,
    seed: int = 0,
) -> RowTable:
    """Build the token rows of D_reason; loss falls on chain and answer only.

    Args:
        chains: five-stage chains over training interactions.
        split: `Split`; chains are held against `split.train`.
        dataset: `Dataset`, for user ids and the catalogue.
        formatter: the formatter of training and inference.
        wording_variety: share of rows that use another wording than the fixed one of evaluation, in [0, 1].
        max_length: rows with more tokens are left out and counted in the log; None keeps all.
        seed: seed of the wordings.

    Returns:
        Table with `input_ids`, `completion_mask`, `task` ("reasoning") and an empty `teacher`, in the order of
        the chains.

    Raises:
        ValueError: when no row comes out, or a chain leaves the training data.
    """
    chains = list(chains)
    chains_by_user(chains, dataset, split.train)
    rng = np.random.default_rng([seed, 4])
    pairs = [_pair(chain, formatter, _wording(rng, wording_variety)) for chain in chains]
    encoded = formatter.encode_batch(pairs)
    kept = [row for row in encoded if max_length is None or len(row[0]) <= max_length]
    if len(kept) < len(encoded):
        logger.warning(
            "%d of %d chains are longer than %s tokens: left out",
            len(encoded) - len(kept),
            len(encoded),
            max_length,
        )
    return table_of((REASONING, TokenRow(*row)) for row in kept)


def join_rows(align: RowTable, reason: RowTable) -> RowTable:
    """Return [alignment rows; reasoning rows], the table a `CurriculumSampler` numbers."""
    from datasets import concatenate_datasets

    return concatenate_datasets([align, reason])


def _pair(chain: Chain, formatter: Formatter, wording: int) -> Pair:
    """Return prompt and completion of one chain."""
    history = [formatter.catalogue.index_of(item) for item in chain.history]
    return formatter.reasoning_prompt(history, wording), formatter.chain_completion(chain)


def _wording(rng: np.random.Generator, variety: float) -> int:
    """Draw wording 0 with probability 1 - variety, else one of the others."""
    return 0 if rng.random() >= variety else 1 + int(rng.integers(len(WORDINGS[REASONING]) - 1))
