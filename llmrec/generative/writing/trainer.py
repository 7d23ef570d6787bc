"""How is the generative head fine-tuned? `RecSFTTrainer` whose rows may carry vectors for the soft tokens."""

from __future__ import annotations

from typing import Any

import torch
from trl import SFTConfig

from genrec.posttrain.rows import RecCollator
from genrec.posttrain.sft import RecSFTTrainer
from llmrec.generative.writing.vectors import VectorPrompt

COLUMN = "vectors"


class ReasonTrainer(RecSFTTrainer):
    """Supervised training of a list writer.

    Args:
        model: causal language model, with `vector_prompt` attached where rows carry vectors.
        args: SFTConfig.
        train_dataset: rows of `RowMaker.row`, with `vectors` (P, d) where the head is conditioned on them.
        eval_dataset: the same of validation users, or None.
        kwargs: passed on.
    """

    kept_columns = (COLUMN,)
    data_collator: Any

    def __init__(
        self, model: Any, args: SFTConfig, train_dataset: Any, eval_dataset: Any = None, **kwargs: Any
    ) -> None:
        args.remove_unused_columns = False
        super().__init__(model, args, train_dataset, eval_dataset, **kwargs)
        self.data_collator = VectorCollator(self.data_collator)

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The parent's loss with the vectors in place."""
        inputs = dict(inputs)
        vectors = inputs.pop(COLUMN, None)
        if vectors is None:
            return super().compute_loss(model, inputs, *args, **kwargs)
        with vector_prompt(self.accelerator.unwrap_model(model)).given(vectors):
            return super().compute_loss(model, inputs, *args, **kwargs)


class VectorCollator:
    """Adds `vectors` (B, P, d), padded with zeros, to what `RecCollator` makes."""

    def __init__(self, inner: RecCollator) -> None:
        self.inner = inner

    def __call__(self, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """A batch; rows without vectors give none."""
        batch = self.inner(examples)
        if all(row.get(COLUMN) is not None for row in examples):
            tables = [torch.tensor(row[COLUMN], dtype=torch.float32) for row in examples]
            batch[COLUMN] = torch.nn.utils.rnn.pad_sequence(tables, batch_first=True)
        return batch


def vector_prompt(model: Any) -> VectorPrompt:
    """The projector of a model, below an adapter too.

    Raises:
        ValueError: it has none.
    """
    for module in model.modules():
        if isinstance(module, VectorPrompt):
            return module
    raise ValueError("rows carry vectors but the model has no projector; attach a VectorPrompt")
