"""What if several next items would have done? Labels that are mixtures, handed down the levels of a code tree.

An item's tokens are predicted one after another, so a mixture over items gives one mixture per level: among the items
that agree with the tokens so far, the next token's share is the weight of those that go on with it.

Legend: M items of a batch, C candidates of each, H tokens of the longest item (shorter ones end in `PAD`), N labelled
positions, V vocabulary. No item's tokens begin another's.
Source: ours; word-level distillation (Kim and Rush 2016, arXiv 1606.07947) from a teacher over items instead of tokens,
marginalised exactly over the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from genrec.posttrain.rows import IGNORED, RecCollator

COLUMN, PAD = "teacher", -1
REMEDY = "build the rows with the index that the collator knows"
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
        (M, H, C); over C they sum to 1. Behind a path's end they say nothing.

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

    @cached_property
    def known(self) -> set[tuple[int, ...]]:
        """The tokens of every item."""
        return {tuple(row[row != PAD].tolist()) for row in self.item_tokens}

    def paths(self, tokens: Sequence[int]) -> Ints:
        """Cut a row's labelled tokens into items.

        Args:
            tokens: of one item after the other.

        Returns:
            (items of the row, H), padded.

        Raises:
            ValueError: the tokens are not those of whole items.
        """
        found: list[tuple[int, ...]] = []
        item: tuple[int, ...] = ()
        for token in tokens:
            item = (*item, token)
            if item in self.known:
                found.append(item)
                item = ()
        if item:
            raise ValueError(f"{list(item)} at the end are no item's tokens")
        return pad_right(found, self.item_tokens.shape[1])


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
        labelled = labels != IGNORED
        paths = np.concatenate([self._paths(n, row[kept], listed)
                                for n, (row, kept, listed) in enumerate(zip(labels, labelled, entries, strict=True))
                                if listed])  # fmt: skip
        items, weights = self.teacher.mixtures(np.array([entry for row in entries for entry in row]))
        candidates, real = self.teacher.item_tokens[items], paths != PAD
        shares = level_weights(paths, candidates, weights)
        soft = np.repeat([bool(listed) for listed in entries], labelled.sum(axis=1))  # which labels are an item's?
        tokens = np.repeat(labels[labelled][:, None], items.shape[1], axis=1)
        all_weights = np.zeros(tokens.shape, dtype=np.float32)
        all_weights[:, 0] = 1.0
        tokens[soft] = candidates.clip(min=0).transpose(0, 2, 1)[real]  # an ended candidate has no weight there
        all_weights[soft] = shares[real]
        return tokens, all_weights

    def _paths(self, number: int, tokens: Ints, listed: Sequence[int]) -> Ints:
        """The items (M, H) of a row with entries.

        Raises:
            ValueError: the row's labels are not as many items as it has entries.
        """
        place = f"row {number} of the batch asks for {len(listed)} items by its teacher entries"
        try:
            paths = self.teacher.paths(tokens.tolist())
        except ValueError as error:
            raise ValueError(f"{place}, but of its {len(tokens)} labels {error}; {REMEDY}") from None
        if len(paths) != len(listed):
            raise ValueError(f"{place}, but its labels hold {len(paths)}; {REMEDY}")
        return paths


def pad_right(rows: Sequence[Sequence[int]], width: int) -> Ints:
    """Rows of tokens as one table (rows, width), short ones filled with `PAD`."""
    table = np.full((len(rows), width), PAD, dtype=np.int64)
    for row, tokens in zip(table, rows, strict=True):
        row[: len(tokens)] = tokens
    return table
