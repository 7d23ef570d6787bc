"""How do the weights enter supervised training? A small subclass of `RecSFTTrainer`.

`history_length` is one number per row, or one per token in a packed row that supervises several next items.
The normaliser is the number of targets of the whole optimizer batch times one mean weight of all training targets, so
accumulation, processes and the grouping of rows by length change nothing.
"""

from __future__ import annotations

from typing import Any

import torch
from trl import SFTConfig

from genrec.posttrain.rows import RecCollator
from genrec.posttrain.sft import RecSFTTrainer
from sage.gradient.weights import AdaptiveGradient, mean_weight, weighted_loss

COLUMN = "history_length"


class AdaptiveSFTTrainer(RecSFTTrainer):
    """RecSFTTrainer whose examples weigh by the length of their history.

    Args:
        model: as in RecSFTTrainer.
        args: SFTConfig; `loss_type` "nll" and `average_tokens_across_devices` are needed.
        train_dataset: rows with `history_length` (items known before the target) beside the usual columns.
        gradient: bounds and half-life; None weighs all alike and equals RecSFTTrainer.
        kwargs: passed on.

    Raises:
        ValueError: rows without history lengths, or settings under which the weighted mean would not be exact.
    """

    kept_columns = (COLUMN,)
    data_collator: Any

    def __init__(
        self,
        model: Any,
        args: SFTConfig,
        train_dataset: Any,
        *,
        processing_class: Any,
        gradient: AdaptiveGradient | None = None,
        **kwargs: Any,
    ) -> None:
        _check(args, train_dataset)
        args.remove_unused_columns = False  # the history length is no argument of the model
        self.gradient = gradient
        super().__init__(model, args, train_dataset, processing_class=processing_class, **kwargs)
        table = self.train_dataset
        self.mean_weight = 1.0 if gradient is None else mean_weight(gradient, table[COLUMN], table["labels"])
        self.data_collator = HistoryCollator(self.data_collator)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> Any:
        """The weighted number of targets of the optimizer batch, over all processes (Trainer's hook)."""
        targets = super()._get_num_items_in_batch(batch_samples, device)
        if self.gradient is None or not batch_samples or COLUMN not in batch_samples[0]:
            return targets
        assert targets is not None, "Trainer counts targets of models whose forward takes num_items_in_batch"
        return targets * self.mean_weight

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The weighted loss of rows with a history length; the plain one in evaluation, which counts no batch."""
        inputs = dict(inputs)
        lengths = inputs.pop(COLUMN, None)
        if self.gradient is None or lengths is None or num_items_in_batch is None:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        outputs = model(**inputs, use_cache=False, fused_lm_head=True)  # TRL's entropy and accuracy are not logged
        weights = self.gradient.weights(lengths).to(outputs.log_probs)
        loss = weighted_loss(outputs.log_probs, weights, num_items_in_batch) * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss


class HistoryCollator:
    """Adds `history_length`, (B,) or (B, T) padded with 0, to what `RecCollator` makes.

    Args:
        inner: the collator of tokens and labels.
    """

    def __init__(self, inner: RecCollator) -> None:
        self.inner = inner

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """A batch; rows without the column (evaluation) give none."""
        batch = self.inner(examples)
        if all(COLUMN in row for row in examples):
            batch[COLUMN] = _lengths([row[COLUMN] for row in examples], batch["input_ids"].shape[1])
        return batch


def _lengths(values: list[Any], width: int) -> torch.Tensor:
    """History lengths (B,), or (B, width) where each row has one per token."""
    if not isinstance(values[0], list):
        return torch.tensor(values)
    return torch.tensor([row + [0] * (width - len(row)) for row in values])


def _check(args: SFTConfig, rows: Any) -> None:
    """Refuse what would make the weighted mean inexact."""
    if COLUMN not in rows.column_names:
        raise ValueError(f"the rows lack the column '{COLUMN}' (items of the history); add it when they are built")
    if args.loss_type != "nll":
        raise ValueError(f"loss_type is {args.loss_type!r}; history weights need 'nll'")
    if not args.average_tokens_across_devices:
        raise ValueError("history weights need average_tokens_across_devices=True: the mean spans all processes")
