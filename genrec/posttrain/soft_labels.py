"""What if several next items would have done? Labels that are mixtures, handed down the levels of a code tree.

An item's tokens are predicted one after another, so a mixture over items gives one mixture per level: among the items
that agree with the tokens so far, the next token's share is the weight of those that go on with it.

Legend: M items of a batch, C candidates of each, H tokens per item, N labelled positions, V vocabulary.
Source: ours; word-level distillation (Kim and Rush 2016, arXiv 1606.07947) from a teacher over items instead of tokens,
marginalised exactly over the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genrec.posttrain.rows import IGNORED, RecCollator

COLUMN = "teacher"
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Mixtures = Callable[[Ints], tuple[Ints, Floats]]  # rows (M,) -> items (M, C) and weights (M, C)


def level_weights(path: Ints, candidates: Ints, weights: Floats) -> Floats:
    """Share of each candidate in the label of each level, given the tokens before it.

    Args:
        path: (M, H) tokens that the row holds.
        candidates: (M, C, H) tokens of the candidates.
        weights: (M, C), at least 0; they need not sum to 1.

    Returns:
        (M, H, C); over C they sum to 1.

    Raises:
        ValueError: tokens that no candidate with a weight begins with, so that nothing is known of what follows.
    """
    agree, levels = np.ones(weights.shape, dtype=bool), []
    for level in range(path.shape[1]):
        kept = weights * agree
        total = kept.sum(axis=1, keepdims=True)
        if (total <= 0).any():
            raise ValueError(f"no candidate agrees with {path[(total <= 0)[:, 0]][0].tolist()} up to level {level}")
        levels.append(kept / total)
        agree = agree & (candidates[:, :, level] == path[:, None, level])
    return np.stack(levels, axis=1).astype(np.float32)


@dataclass(frozen=True)
class SoftLabels:
    """A teacher over items.

    Attributes:
        mixtures: candidates and their weights for entries of the teacher's table.
        item_tokens: (items, H) tokens of every item.
    """

    mixtures: Mixtures
    item_tokens: Ints


class SoftCollator:
    """Adds `soft_tokens` (N, C) and `soft_weights` (N, C) to what `RecCollator` makes.

    A row's column `teacher` names one entry of the teacher's table per labelled item; rows without entries (texts)
    keep their own tokens as labels.

    Args:
        inner: the collator of tokens and labels.
        teacher: what the mixtures are and how their items are written.
    """

    def __init__(self, inner: RecCollator, teacher: SoftLabels) -> None:
        self.inner, self.teacher = inner, teacher

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """A batch; without any entry it is the inner collator's."""
        batch = self.inner(examples)
        entries = [row.get(COLUMN) or [] for row in examples]
        if any(entries):
            tokens, weights = self._soften(batch["labels"][:, 1:].numpy(), entries)
            batch |= {"soft_tokens": torch.from_numpy(tokens), "soft_weights": torch.from_numpy(weights)}
        return batch

    def _soften(self, labels: Ints, entries: Sequence[Sequence[int]]) -> tuple[Ints, Floats]:
        """Tokens and weights of all labelled positions, row by row."""
        asked, item_tokens = np.array([e for row in entries for e in row]), self.teacher.item_tokens
        items, weights = self.teacher.mixtures(asked)
        candidates, levels = item_tokens[items], item_tokens.shape[1]
        soft = _places(labels != IGNORED, entries, levels)  # among the labelled positions, which are an item's?
        hard = labels[labels != IGNORED]
        shares = level_weights(hard[soft].reshape(-1, levels), candidates, weights)
        tokens = np.repeat(hard[:, None], items.shape[1], axis=1)
        all_weights = np.zeros(tokens.shape, dtype=np.float32)
        all_weights[:, 0] = 1.0
        tokens[soft] = candidates.transpose(0, 2, 1).reshape(-1, items.shape[1])
        all_weights[soft] = shares.reshape(-1, items.shape[1])
        return tokens, all_weights


def _places(labelled: NDArray[np.bool_], entries: Sequence[Sequence[int]], levels: int) -> NDArray[np.bool_]:
    """True where a labelled position, counted over the batch, belongs to a row with entries.

    Raises:
        ValueError: a row whose entries do not fit its labels.
    """
    counts = labelled.sum(axis=1)
    for row, (count, listed) in enumerate(zip(counts, entries, strict=True)):
        if listed and count != len(listed) * levels:
            raise ValueError(
                f"row {row} of the batch has {count} labels, but its teacher entries ask for {len(listed)} items of "
                f"{levels} tokens; build the rows with the index that the collator knows"
            )
    return np.repeat([bool(listed) for listed in entries], counts)
