"""How do rows of `input_ids` and `completion_mask` become batches with labels?

TRL 1.16 ignores the mask of tokenised rows unless `completion_only_loss` is set, truncates silently and may
drop rows, which would shift the row numbers of a sampler. So rows get their labels here and TRL's own
preparation is skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

IGNORED = -100
"""Label of a position without loss."""


def labels_of(input_ids: list[int], completion_mask: list[int]) -> list[int]:
    """Return labels of one row: the token where the mask is 1, -100 (no loss) elsewhere.

    Args:
        input_ids: token ids (T,).
        completion_mask: (T,), 1 means the token is a target.

    Raises:
        ValueError: when the lengths differ.
    """
    if len(input_ids) != len(completion_mask):
        raise ValueError(f"a row has {len(input_ids)} tokens but {len(completion_mask)} mask entries; rebuild the rows")
    return [token if target else IGNORED for token, target in zip(input_ids, completion_mask, strict=True)]


def labelled_rows(rows: Any, max_length: int | None = None, kept: Sequence[str] = ()) -> Any:
    """Turn `completion_mask` into `labels` and add `length`.

    Args:
        rows: table with `input_ids` and `completion_mask`.
        max_length: most tokens of a row, or None for no limit.
        kept: further columns to keep, where the table has them.

    Returns:
        Table with `input_ids`, `labels`, `length` (tokens) and the kept columns, in the same order.

    Raises:
        ValueError: when a row is longer than `max_length` or has no target.
    """
    from datasets import Dataset

    columns: dict[str, list[Any]] = {"input_ids": rows["input_ids"][:], "labels": [], "length": []}
    for number, (ids, mask) in enumerate(zip(columns["input_ids"], rows["completion_mask"][:], strict=True)):
        _check(number, ids, mask, max_length)
        columns["labels"].append(labels_of(ids, mask))
        columns["length"].append(len(ids))
    columns |= {name: rows[name][:] for name in kept if name in rows.column_names}
    return Dataset.from_dict(columns)


def _check(number: int, ids: list[int], mask: list[int], max_length: int | None) -> None:
    """Refuse a row that is too long or teaches nothing."""
    if max_length is not None and len(ids) > max_length:
        raise ValueError(
            f"row {number} has {len(ids)} tokens, more than max_length {max_length}; raise max_length or "
            "shorten texts (max_text_words) and histories (max_history)"
        )
    if not any(mask[1:]):
        raise ValueError(f"row {number} has no target token after the first; drop it when the rows are built")


class RecCollator:
    """Pad rows on the right; rows without `labels` get them from `completion_mask`.

    Args:
        pad_token_id: id that fills `input_ids`; labels are filled with -100.
        pad_to_multiple_of: round the width up to a multiple of this.
    """

    def __init__(self, pad_token_id: int, pad_to_multiple_of: int | None = None) -> None:
        self.inner = DataCollatorForLanguageModeling(pad_token_id=pad_token_id, pad_to_multiple_of=pad_to_multiple_of)

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return `input_ids`, `attention_mask` (1 means a real token) and `labels`, each (B, T)."""
        rows = [{"input_ids": row["input_ids"], "labels": _labels(row)} for row in examples]
        batch: dict[str, torch.Tensor] = self.inner(rows)
        return batch


def _labels(row: dict[str, Any]) -> list[int]:
    """Return a row's own labels, else those of its mask."""
    labels: list[int] | None = row.get("labels")
    return labels_of(row["input_ids"], row["completion_mask"]) if labels is None else labels
