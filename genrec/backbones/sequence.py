"""What do all sequence models share? Embedding, loss, scoring and files; each adds how it reads a sequence.

A model that enriches a backbone (GRASP, CoRec) calls the same four steps with vectors of its own: `questions` (what is
asked), `embed` (item vectors), `contextualise` (the backbone's reading), `answer_loss` (the loss at the targets).

Legend: B sequences, L positions, n histories, V items, d width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor, nn

from genrec.backbones.config import SequenceConfig
from genrec.backbones.objective import next_item_loss
from genrec.data.files import read_json, write_json, write_whole
from genrec.fit.sequences import Batch, IntArray, next_item_collator, next_item_windows, pad_right


class SequenceModel(nn.Module):
    """Base of the backbones; a subclass makes `items` (V + 1 or more rows, row V pads) and `contextualise`.

    Args:
        num_items: catalogue size V.
        config: shape and loss.
    """

    name: ClassVar[str] = ""
    config_type: ClassVar[type[SequenceConfig]] = SequenceConfig
    causal: ClassVar[bool] = True
    items: nn.Embedding

    def __init__(self, num_items: int, config: Any) -> None:
        """Keep both."""
        super().__init__()
        if num_items < 1:
            raise ValueError(f"num_items must be at least 1, got {num_items}")
        self.config, self._num_items = config, num_items

    @property
    def num_items(self) -> int:
        """Catalogue size V; also the id that pads inputs."""
        return self._num_items

    def embed(self, inputs: Tensor) -> Tensor:
        """Vectors (B, L, d) of input ids (B, L)."""
        return self.items(inputs)  # type: ignore[no-any-return]

    def contextualise(self, embedded: Tensor, inputs: Tensor) -> Tensor:
        """States (B, L, d) of embedded inputs (B, L, d); the ids (B, L) tell what is padding."""
        raise NotImplementedError

    def forward(self, inputs: Tensor) -> Tensor:
        """State at every position.

        Args:
            inputs: (B, L) items, oldest first, right-padded with `num_items`, L at most `max_history`.

        Returns:
            (B, L, d) states; for causal models a position's state scores the item after it.
        """
        return self.contextualise(self.embed(inputs), inputs)

    def item_table(self) -> Tensor:
        """Vectors (V, d) against which states are scored."""
        return self.items.weight[: self.num_items]

    def questions(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Inputs (B, L) and what is asked at each position (B, L), -1 for nothing."""
        return batch["inputs"], batch["targets"]

    def answer_loss(self, states: Tensor, targets: Tensor, table: Tensor) -> dict[str, Tensor]:
        """Loss at the asked positions.

        Args:
            states: (B, L, d).
            targets: (B, L), -1 for nothing; such positions cost no scores.
            table: (V, d) item vectors.

        Returns:
            "loss", a mean in nats, and "weight", the number of targets.
        """
        real = targets >= 0
        return {"loss": next_item_loss(states[real], table, targets[real], self.config), "weight": real.sum()}

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Mean loss of a batch, see `answer_loss`."""
        inputs, targets = self.questions(batch)
        return self.answer_loss(self(inputs), targets, self.item_table())

    def settings(self) -> dict[str, Any]:
        """What decides the result besides data and schedule: kind, shape and loss; a resumed fit compares them."""
        return {"model": self.name, **asdict(self.config)}

    def windows(self, histories: Sequence[IntArray]) -> list[IntArray]:
        """Training windows of histories."""
        return next_item_windows(histories, self.config.max_history)

    def collator(self) -> Callable[[Sequence[IntArray]], Batch]:
        """Function that turns windows into a batch."""
        return next_item_collator(self.num_items)

    def prepare(self, histories: Sequence[NDArray[np.int64]]) -> tuple[Tensor, Tensor]:
        """Inputs (n, L) of histories and, per row, the position (n,) whose state scores what comes next.

        An empty history is read as one padding item: the scores are then the same for every such user.

        Raises:
            ValueError: an item outside the catalogue.
        """
        recent = [np.asarray(history, dtype=np.int64)[-self.config.max_history :] for history in histories]
        self._check(recent)
        device = self.items.weight.device
        last = torch.tensor([max(1, len(history)) - 1 for history in recent], device=device)
        return pad_right(recent, self.num_items).to(device), last

    def _check(self, histories: Sequence[IntArray]) -> None:
        """Refuse unknown items by name."""
        for row, history in enumerate(histories):
            if len(history) and (history.min() < 0 or history.max() >= self.num_items):
                wrong = int(history[(history < 0) | (history >= self.num_items)][0])
                raise ValueError(
                    f"history {row} holds item {wrong}, but the catalogue has items 0..{self.num_items - 1}; map ids "
                    "with Catalogue.index_of, or retrain on the larger catalogue"
                )

    @torch.no_grad()
    def encode(self, histories: Sequence[NDArray[np.int64]]) -> Tensor:
        """User vectors (n, d) after each history; switches to evaluation mode."""
        self.eval()
        inputs, last = self.prepare(histories)
        return self(inputs)[torch.arange(len(last), device=last.device), last]  # type: ignore[no-any-return]

    @torch.no_grad()
    def score_histories(self, histories: Sequence[NDArray[np.int64]]) -> Tensor:
        """Score all items after each history; see `IdModel`. Switches to evaluation mode."""
        return torch.mm(self.encode(histories), self.item_table().T)

    @torch.no_grad()
    def item_vectors(self) -> NDArray[np.float32]:
        """Item vectors (V, d) that score, as float32."""
        return np.array(self.item_table().detach().float().cpu(), dtype=np.float32)

    def save(self, folder: str | Path) -> None:
        """Write `<name>.safetensors` and, last, `<name>.json` (shape) into a folder."""
        weights = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        write_whole(Path(folder) / f"{self.name}.safetensors", save(weights))
        write_json(Path(folder) / f"{self.name}.json", {"num_items": self.num_items, **asdict(self.config)})

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote, in evaluation mode."""
        shape = read_json(Path(folder) / f"{cls.name}.json")
        model = cls(shape.pop("num_items"), cls.config_type(**shape))
        model.load_state_dict(load_file(Path(folder) / f"{cls.name}.safetensors"))
        return model.eval()
