"""How are pre-tokenised rows trained on? TRL's SFTTrainer with our rows, our order and our counts."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch.utils.data import Sampler
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer

from genrec.posttrain.batches import LengthGroupedSampler
from genrec.posttrain.compact_head import add_compact_head
from genrec.posttrain.dropout import add_dropout
from genrec.posttrain.lora import expose_head_bias
from genrec.posttrain.rows import IGNORED, RecCollator, labelled_rows, labels_of
from genrec.posttrain.soft_labels import COLUMN as TEACHER
from genrec.posttrain.soft_labels import SoftCollator, SoftLabels

__all__ = ["EpochOfSampler", "RecCollator", "RecSFTTrainer", "labelled_rows", "labels_of"]


class EpochOfSampler(TrainerCallback):  # type: ignore[misc]
    """Tell a sampler the epoch, also after a resume, where accelerate's wrappers hide it.

    Args:
        sampler: anything with `set_epoch(epoch)`.
    """

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Set the sampler's epoch from the trainer's progress."""
        self.sampler.set_epoch(int((state.epoch or 0) + 1e-6))


class RecSFTTrainer(SFTTrainer):  # type: ignore[misc]
    """SFTTrainer over rows of `input_ids` and `completion_mask`.

    Args:
        model: model, PEFT model or path, as in SFTTrainer.
        args: SFTConfig; `max_length` is a limit that raises and never truncates.
        train_dataset: table of rows.
        eval_dataset: table of rows, or None.
        processing_class: the tokenizer.
        sampler: order of the rows, for instance a `CurriculumSampler`; None groups rows of like length.
        dropout: share dropped from embeddings and block outputs while training, see `add_dropout`.
        soft_labels: a teacher whose guesses share the labels of rows that name its entries in a column `teacher`.
        kwargs: passed on to SFTTrainer.

    Raises:
        ValueError: when a row is too long, packing is asked for, or a sampler of all epochs would run more
            than once.
    """

    kept_columns: tuple[str, ...] = ()  # columns of the rows that a subclass reads beside tokens and labels

    def __init__(
        self,
        model: Any,
        args: SFTConfig,
        train_dataset: Any,
        eval_dataset: Any = None,
        processing_class: Any = None,
        sampler: Sampler[int] | None = None,
        dropout: float = 0.0,
        soft_labels: SoftLabels | None = None,
        **kwargs: Any,
    ) -> None:
        _check(args, sampler, soft_labels)
        args.dataset_kwargs = {**(args.dataset_kwargs or {}), "skip_prepare_dataset": True}
        kept = self.kept_columns if soft_labels is None else (*self.kept_columns, TEACHER)
        table = labelled_rows(train_dataset, args.max_length, kept)
        held_out = None if eval_dataset is None else labelled_rows(eval_dataset, args.max_length, self.kept_columns)
        self.row_sampler = sampler or _grouped(table, args)
        collator: Any = RecCollator(_pad_id(processing_class), args.pad_to_multiple_of)
        if soft_labels is not None:
            args.remove_unused_columns = False  # the teacher's entries are no argument of the model
            collator = SoftCollator(collator, soft_labels)
        super().__init__(
            model=model,
            args=args,
            data_collator=kwargs.pop("data_collator", collator),
            train_dataset=table,
            eval_dataset=held_out,
            processing_class=processing_class,
            **kwargs,
        )
        expose_head_bias(self.model)
        add_compact_head(self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model)
        add_dropout(self.model, dropout)
        if hasattr(self.row_sampler, "set_epoch"):
            self.add_callback(EpochOfSampler(self.row_sampler))
        self._seen, self._since = np.zeros(2), time.perf_counter()

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        """Return our order (Trainer's hook)."""
        return self.row_sampler

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Start the clock of the rates, then train."""
        self._seen, self._since = np.zeros(2), time.perf_counter()
        return super().train(*args, **kwargs)

    def training_step(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> torch.Tensor:
        """Count tokens and targets, then step."""
        self._seen += (int(inputs["attention_mask"].sum()), int((inputs["labels"] != IGNORED).sum()))
        loss: torch.Tensor = super().training_step(model, inputs, *args, **kwargs)
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add tokens/s and targets/s over all processes to the training logs."""
        if "loss" in logs:
            logs.update(self._rates())
        super().log(logs, start_time)

    def _rates(self) -> dict[str, float]:
        """Return the rates since the last call and start anew."""
        seconds = max(time.perf_counter() - self._since, 1e-9)
        local = torch.tensor(self._seen, dtype=torch.float32, device=self.accelerator.device)
        tokens, targets = self.accelerator.reduce(local, reduction="sum").tolist()
        self._seen, self._since = np.zeros(2), time.perf_counter()
        return {"tokens_per_second": tokens / seconds, "targets_per_second": targets / seconds}


def _check(args: SFTConfig, sampler: Any, soft_labels: Any) -> None:
    """Refuse settings that would break the rows, their order or their labels."""
    if soft_labels is not None and (args.loss_type != "nll" or args.label_smoothing_factor):
        raise ValueError(
            f"a teacher's labels need loss_type 'nll' and no label smoothing, got {args.loss_type!r} and "
            f"{args.label_smoothing_factor}"
        )
    if args.packing or args.padding_free:
        raise ValueError("packing and padding_free are not supported: rows are packed by history already")
    if getattr(sampler, "covers_all_epochs", False) and args.num_train_epochs != 1:
        raise ValueError(f"the sampler covers all epochs but num_train_epochs is {args.num_train_epochs}; set it to 1")


def _grouped(table: Any, args: SFTConfig) -> LengthGroupedSampler:
    """Return the default order: rows of like length share an optimizer batch."""
    batch = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
    return LengthGroupedSampler(table["length"][:], int(batch), args.seed if args.data_seed is None else args.data_seed)


def _pad_id(tokenizer: Any) -> int:
    """Return the padding id, the end token's where there is none."""
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    if pad is None:
        raise ValueError("the tokenizer has neither pad_token nor eos_token; set tokenizer.pad_token")
    return int(pad)
