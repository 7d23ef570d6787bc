"""What list would the model give right now, and how does it weigh its items? Prompts cut from a batch, names scored.

Legend: B rows, T tokens, P prompts, K items per list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from genrec.decoding.batching import pad_left
from genrec.decoding.beam import trie_beam_search
from genrec.decoding.trie import Trie
from genrec.posttrain.rows import IGNORED


def cut_prompts(
    input_ids: Tensor, labels: Tensor, end_id: int, count: int, generator: torch.Generator
) -> list[list[int]]:
    """Prompts that the batch holds: beginnings of rows that end right after a supervised item.

    Args:
        input_ids: (B, T).
        labels: (B, T), -100 where nothing is asked.
        end_id: token that ends an item.
        count: prompts wanted.
        generator: draws rows and places.

    Returns:
        At most `count` token lists; [] when no row has such a place.
    """
    places = ((labels == end_id) & (labels != IGNORED)).nonzero()
    chosen = torch.randperm(len(places), generator=generator)[:count].tolist()
    return [input_ids[row, : place + 1].tolist() for row, place in places[chosen].tolist()]


def generated_lists(model: Any, prompts: Sequence[Sequence[int]], trie: Trie, size: int, pad_id: int) -> Tensor:
    """The model's own lists by trie beam, without gradient.

    Args:
        model: the unwrapped causal language model.
        prompts: P token lists.
        trie: names of the items that training may know.
        size: K.
        pad_id: any token.

    Returns:
        (P, K) leaves of the trie, -1 where there are fewer.
    """
    ids, mask = pad_left(prompts, pad_id)
    device = next(model.parameters()).device
    return trie_beam_search(model, ids.to(device), mask.to(device), trie, size).items.cpu().clone()


def answer_scores(
    model: Any, prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], pad_id: int
) -> Tensor:
    """Log-probability (n,) of each answer after its prompt, under the full softmax, with gradient.

    Args:
        model: causal language model with TRL's fused head (wrapped or not).
        prompts: n token lists.
        answers: n token lists.
        pad_id: any token.
    """
    width = max(len(p) + len(a) for p, a in zip(prompts, answers, strict=True))
    ids = torch.full((len(prompts), width), pad_id, dtype=torch.int64)
    labels, mask = torch.full_like(ids, IGNORED), torch.zeros_like(ids)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        end = len(prompt) + len(answer)
        ids[row, :end] = torch.tensor([*prompt, *answer])
        labels[row, len(prompt) : end] = torch.tensor(list(answer))
        mask[row, :end] = 1
    device = next(model.parameters()).device
    output = model(
        input_ids=ids.to(device),
        attention_mask=mask.to(device),
        labels=labels.to(device),
        use_cache=False,
        fused_lm_head=True,
    )
    scores: Tensor = output.log_probs.sum(dim=1)
    return scores
