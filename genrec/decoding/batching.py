"""How are thousands of prompts ranked? Batches of similar length, one trie beam search each."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence, Set
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from genrec.decoding.beam import BeamResult, trie_beam_search
from genrec.decoding.expand import SubCatalogue
from genrec.decoding.trie import Trie

logger = logging.getLogger(__name__)


def pad_left(prompts: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Pad token id lists on the left.

    Args:
        prompts: B non-empty lists of token ids.
        pad_id: any valid token id; it is masked.

    Returns:
        input_ids (B, T) and attention_mask (B, T), 1 at real tokens.
    """
    width = max(len(prompt) for prompt in prompts)
    input_ids = torch.full((len(prompts), width), pad_id, dtype=torch.int64)
    attention_mask = torch.zeros_like(input_ids)
    for row, prompt in enumerate(prompts):
        input_ids[row, width - len(prompt) :] = torch.as_tensor(prompt, dtype=torch.int64)
        attention_mask[row, width - len(prompt) :] = 1
    return input_ids, attention_mask


def length_sorted_batches(lengths: Sequence[int], batch_size: int) -> Iterator[NDArray[np.int64]]:
    """Indices in batches of similar length, longest first (memory peaks at once, not after an hour)."""
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def search_prompts(
    model: Any,
    prompts: Sequence[Sequence[int]],
    trie: Trie,
    num_beams: int,
    num_return: int | None = None,
    exclude: Sequence[Set[int]] | None = None,
    *,
    within: Sequence[SubCatalogue | None] | None = None,
    pad_id: int = 0,
    batch_size: int = 32,
    cache: str = "auto",
    progress: bool = False,
    description: str = "trie beam search",
) -> BeamResult:
    """Rank items for any number of prompts.

    Args:
        model: causal language model; prompts are moved to its device.
        prompts: token id lists, any lengths, at least one token each.
        trie: tree over token ids.
        num_beams: beams per prompt.
        num_return: results per prompt, default `num_beams`.
        exclude: per prompt, dense items that must not be returned.
        within: per prompt, the sub-catalogue that may be returned.
        pad_id: token id written into (masked) padding.
        batch_size: prompts per forward pass.
        cache: see `trie_beam_search`.
        progress: show a progress bar (main process only: the caller decides).
        description: label of the bar.

    Returns:
        Items and scores (len(prompts), num_return) on the CPU, in the order of `prompts`.

    Raises:
        ValueError: no prompt or an empty one, or what `trie_beam_search` refuses.
    """
    lengths = [len(prompt) for prompt in prompts]
    if not lengths or min(lengths) == 0:
        raise ValueError(f"prompts must be non-empty token lists, got {len(lengths)}, shortest {min(lengths or [0])}")
    width = num_beams if num_return is None else num_return
    result = BeamResult(
        torch.full((len(prompts), width), -1, dtype=torch.int64),
        torch.full((len(prompts), width), float("-inf")),
    )
    started = time.perf_counter()
    with tqdm(total=len(prompts), desc=description, unit="prompt", disable=not progress) as bar:
        for rows in length_sorted_batches(lengths, batch_size):
            input_ids, mask = (part.to(model.device) for part in pad_left([prompts[row] for row in rows], pad_id))
            excluded = None if exclude is None else [exclude[row] for row in rows]
            parts = None if within is None else [within[row] for row in rows]
            found = trie_beam_search(
                model, input_ids, mask, trie, num_beams, width, excluded, within=parts, cache=cache
            )
            index = torch.from_numpy(rows)
            result.items[index], result.scores[index] = found.items.cpu(), found.scores.cpu()
            bar.update(len(rows))
    seconds = time.perf_counter() - started
    logger.info("ranked %d prompts in %.1f s (%.1f prompts/s)", len(prompts), seconds, len(prompts) / seconds)
    return result
