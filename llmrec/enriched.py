"""What do all models share that enrich a backbone? Windows that know their user, states, scores, files.

The backbone stays as it is: a subclass changes the item vectors (`item_table`), what the backbone reads (`states`) or
the loss, and calls the four steps of `SequenceModel`.

Legend: B sequences, L positions, n histories, V items, d width. A user is a dense index, -1 for one who is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor, nn

from genrec.backbones.sequence import SequenceModel
from genrec.data.files import write_json, write_whole
from genrec.fit.sequences import Batch

IntArray = NDArray[np.int64]
WEIGHTS = "enriched.safetensors"


@dataclass(frozen=True)
class UserWindow:
    """A training window and whose it is.

    Attributes:
        user: dense user.
        items: dense items, oldest first.
    """

    user: int
    items: IntArray

    def __len__(self) -> int:
        """Number of items."""
        return len(self.items)


class EnrichedModel(nn.Module):
    """A backbone with something around it; by itself it is the backbone.

    Args:
        backbone: any `SequenceModel`.
    """

    name: ClassVar[str] = "plain"

    def __init__(self, backbone: SequenceModel) -> None:
        """Keep the backbone; scores of all items are kept between calls in evaluation mode."""
        super().__init__()
        self.backbone = backbone
        self._table: Tensor | None = None  # of scores, kept in evaluation mode
        self._read: Tensor | None = None  # the same with the rows of padding and mask
        self.register_load_state_dict_post_hook(lambda module, _: module.forget())

    @property
    def num_items(self) -> int:
        """Catalogue size V."""
        return self.backbone.num_items

    def settings(self) -> dict[str, Any]:
        """What decides the result besides data and schedule."""
        return {"enrichment": self.name, **self.backbone.settings()}

    def windows(self, histories: Sequence[IntArray]) -> list[UserWindow]:
        """The backbone's training windows with the user (the index of the history)."""
        return [
            UserWindow(user, window)
            for user, history in enumerate(histories)
            for window in self.backbone.windows([history])
        ]

    def collator(self) -> Callable[[Sequence[UserWindow]], Batch]:
        """Function from windows to the backbone's batch and `users` (B,)."""
        inner = self.backbone.collator()

        def collate(windows: Sequence[UserWindow]) -> Batch:
            users = torch.tensor([window.user for window in windows])
            return {**inner([window.items for window in windows]), "users": users}

        return collate

    def item_table(self) -> Tensor:
        """Vectors (V, d) that are read and scored."""
        return self.backbone.item_table()

    def embed(self, inputs: Tensor, table: Tensor) -> Tensor:
        """Vectors (B, L, d) of inputs: rows of the table, and the backbone's own for padding and mask."""
        kept = self._read if table is self._table and not self.training else None
        return F.embedding(inputs, self._with_special(table) if kept is None else kept)

    def _with_special(self, table: Tensor) -> Tensor:
        """A table (V, d) and the backbone's rows for padding and mask."""
        return torch.cat([table, self.backbone.items.weight[self.num_items :]])

    def states(self, inputs: Tensor, users: Tensor, table: Tensor) -> Tensor:
        """States (B, L, d) of inputs (B, L) of users (B,), read with a table (V, d)."""
        return self.backbone.contextualise(self.embed(inputs, table), inputs)

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The backbone's own loss, over enriched states and vectors."""
        inputs, targets = self.backbone.questions(batch)
        table = self.item_table()
        return self.backbone.answer_loss(self.states(inputs, batch["users"], table), targets, table)

    @torch.no_grad()
    def encode_users(self, users: IntArray, histories: Sequence[IntArray]) -> Tensor:
        """User vectors (n, d) after each history; switches to evaluation mode."""
        self._judge()
        inputs, last = self.backbone.prepare(histories)
        asked = torch.as_tensor(np.asarray(users, dtype=np.int64), device=inputs.device)
        states = self.states(inputs, asked, self.scoring_table())
        return states[torch.arange(len(last), device=last.device), last]

    def encode(self, histories: Sequence[IntArray]) -> Tensor:
        """User vectors (n, d) of users that are not known."""
        return self.encode_users(np.full(len(histories), -1), histories)

    @torch.no_grad()
    def score_users(self, users: IntArray, histories: Sequence[IntArray]) -> Tensor:
        """Scores (n, V) for users with these histories; see `UserModel`."""
        return self.encode_users(users, histories) @ self.scoring_table().T

    def score_histories(self, histories: Sequence[IntArray]) -> Tensor:
        """Scores (n, V) for users that are not known; see `IdModel`."""
        return self.score_users(np.full(len(histories), -1), histories)

    @torch.no_grad()
    def scoring_table(self) -> Tensor:
        """`item_table` in evaluation mode, computed once and kept."""
        self._judge()
        if self._table is None:
            self._table = self.item_table()
            if self._table.shape[1] == self.backbone.config.width:
                self._read = self._with_special(self._table)
        return self._table

    def item_vectors(self) -> NDArray[np.float32]:
        """Item vectors (V, d) that score, as float32."""
        return np.array(self.scoring_table().detach().float().cpu(), dtype=np.float32)

    def forget(self) -> None:
        """Drop the kept table: the weights have changed."""
        self._table = self._read = None

    def train(self, mode: bool = True) -> Self:
        """Switch the mode and drop the kept table."""
        self.forget()
        super().train(mode)
        return self

    def _judge(self) -> None:
        """Evaluation mode, without dropping a table that is still right."""
        if self.training:
            self.eval()

    def save(self, folder: str | Path) -> None:
        """Write `enriched.safetensors`, the text features if there are any and, last, `enriched.json`."""
        folder = Path(folder)
        weights = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        write_whole(folder / WEIGHTS, save(weights))
        features = getattr(self, "features", None)
        if features is not None:
            features.save(folder)
        facts = {"enrichment": self.name, "backbone": self.backbone.name, "num_items": self.num_items}
        write_json(
            folder / "enriched.json", {**facts, "shape": asdict(self.backbone.config), "settings": self.settings()}
        )

    def load_weights(self, folder: str | Path) -> None:
        """Read the weights that `save` wrote, and switch to evaluation mode."""
        self.load_state_dict(load_file(Path(folder) / WEIGHTS))
        self.eval()
