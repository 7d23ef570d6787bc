"""How do the regulariser and the history weights meet in one trainer? A small subclass of `AdaptiveSFTTrainer`.

Every `every` steps a few prompts are cut from the batch, the model writes its own list for each (trie beam, no
gradient), scores the listed names with gradient, and pays for the mutual information between them. Inference is as
before.
Legend: P prompts, K items per list.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from trl import SFTConfig

from genrec.decoding.trie import Trie
from sage.diversity.information import list_information, pair_information
from sage.gradient.trainer import COLUMN, AdaptiveSFTTrainer
from sage.items.names import NativeNames
from sage.sft.lists import answer_scores, cut_prompts, generated_lists


@dataclass
class ListDiversity:
    """Weight and cost of the regulariser.

    Raises:
        ValueError: a setting outside its range.
    """

    weight: float = field(default=0.1, metadata={"help": "weight of the mutual information, 0 switches it off"})
    every: int = field(default=4, metadata={"help": "optimizer steps between two regularised ones"})
    prompts: int = field(default=1, metadata={"help": "lists per process in a regularised pass"})
    size: int = field(default=10, metadata={"help": "items of a list"})

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ValueError(f"the weight of the mutual information must not be negative, got {self.weight}")
        if min(self.every, self.prompts) < 1 or self.size < 2:
            raise ValueError(
                f"every, prompts must be at least 1 and size at least 2, got {self.every}, {self.prompts}, {self.size}"
            )


class SageSFTTrainer(AdaptiveSFTTrainer):
    """Supervised training with history weights and the list regulariser.

    Args:
        model: as in RecSFTTrainer.
        args: SFTConfig.
        train_dataset: rows of `sage.items.rows`.
        names: spellings of the whole catalogue.
        known: (num_items,) bool, True for items that training may list; new items are never in its trie.
        vectors: (num_items, d) item vectors that tell how alike two items are.
        diversity: the regulariser; None leaves it out.
        kwargs: passed on (`gradient`, `processing_class`, ...).
    """

    def __init__(
        self,
        model: Any,
        args: SFTConfig,
        train_dataset: Any,
        *,
        names: NativeNames,
        known: NDArray[np.bool_],
        vectors: NDArray[np.float32],
        diversity: ListDiversity | None = None,
        **kwargs: Any,
    ) -> None:
        self.names, self.diversity = names, diversity
        self.known_items = np.flatnonzero(known)
        self.known_trie = known_trie(names, known)
        self.item_vectors = torch.from_numpy(np.asarray(vectors, dtype=np.float32))
        self._passes = (-1, 0)  # optimizer step, passes taken in it
        super().__init__(model, args, train_dataset, **kwargs)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The weighted loss and, when it is due, the regulariser; evaluation has neither."""
        trains = COLUMN in inputs and model.training
        result = super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        if not trains or not self._due():
            return result
        information = self.list_information(model, inputs)
        self._metrics["train"]["list_information"].append(float(information.detach()))
        assert self.diversity is not None
        extra = self.diversity.weight * information / self.current_gradient_accumulation_steps
        return (result[0] + extra, result[1]) if return_outputs else result + extra

    def list_information(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        """Mean mutual information, in nats, of the lists that the model gives for prompts of this batch."""
        assert self.diversity is not None
        pad = int(self.processing_class.pad_token_id or self.names.end_id)
        ids, labels = inputs["input_ids"].cpu(), inputs["labels"].cpu()
        prompts = cut_prompts(ids, labels, self.names.end_id, self.diversity.prompts, self._generator())
        prompts = prompts or [ids[0, :1].tolist()]  # every process takes part in the pass below
        lists = generated_lists(
            self.accelerator.unwrap_model(model), prompts, self.known_trie, self.diversity.size, pad
        )
        rows, places = (lists >= 0).nonzero(as_tuple=True)
        items = torch.from_numpy(self.known_items)[lists.clamp_min(0)]  # leaves of the trie -> dense items
        answers = [self.names.answer_ids(int(item)) for item in items[rows, places]]
        scores = answer_scores(model, [prompts[row] for row in rows], answers, pad)
        table = scores.new_full(lists.shape, float("-inf")).index_put((rows, places), scores)
        vectors = self.item_vectors[items].to(scores.device)
        return list_information(table, pair_information(vectors)).mean()

    def _due(self) -> bool:
        """True in the passes of every `every`-th optimizer step; counts passes within a step."""
        step = int(self.state.global_step)
        self._passes = (step, self._passes[1] + 1 if self._passes[0] == step else 0)
        return bool(self.diversity and self.diversity.weight > 0 and step % self.diversity.every == 0)

    def _generator(self) -> torch.Generator:
        """Random numbers that depend on where the run stands, so that a resumed run draws the same prompts."""
        place = [int(self.args.seed), *self._passes, self.accelerator.process_index]
        seed = int(np.random.SeedSequence(place).generate_state(1)[0])
        return torch.Generator().manual_seed(seed)


def known_trie(names: NativeNames, known: NDArray[np.bool_]) -> Trie:
    """Trie over the names of known items only; its leaf i is the i-th known item.

    Raises:
        ValueError: no item is known.
    """
    if not known.any():
        raise ValueError("no item is known to training; lower item_share")
    return Trie.from_codes(names.token_codes()[known])
