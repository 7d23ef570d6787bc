"""Where does a user lie, and where an item? Two small heads over text vectors.

The user's features are the decayed mean and the last of the history's item vectors; an item's are its text vector and,
where wanted, a learnt offset that starts at zero, so that new items are placed by their texts alone. What a user says
in words is placed by the item head: wishes and items meet in the same space. Without alignment nothing is learnt: the
common space is that of the text vectors, and a user is the decayed mean of the history.
Legend: B users, L history, V items, D width of text vectors, d width of the common space.
Source: METHODS 5; the features are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from safetensors.torch import load_file, save
from torch import Tensor, nn

from genrec.data.files import read_json, write_json, write_whole
from llmrec.generative.alignment.losses import symmetric_info_nce

FEATURES = ("text", "id", "both")
IntArray = NDArray[np.int64]


@dataclass
class HeadsConfig:
    """Shape of the heads.

    Raises:
        ValueError: a setting outside its range.
    """

    width: int = field(default=64, metadata={"help": "width of the common space"})
    hidden: int = field(default=256, metadata={"help": "width of the layer between"})
    features: str = field(default="both", metadata={"help": "item features: text, id (ablation: no encoding), both"})
    decay: float = field(default=0.8, metadata={"help": "weight of an item relative to the one after it"})
    temperature: float = field(default=0.1, metadata={"help": "of the cosines in the loss"})
    dropout: float = field(default=0.2, metadata={"help": "share of features dropped in training"})
    aligned: bool = field(default=True, metadata={"help": "false (ablation): cosines of raw texts, nothing is learnt"})

    def __post_init__(self) -> None:
        if self.features not in FEATURES:
            raise ValueError(f"features is {self.features!r}; choose one of {', '.join(FEATURES)}")
        if min(self.width, self.hidden) < 1 or not 0 < self.decay <= 1 or self.temperature <= 0:
            raise ValueError(
                "width and hidden must be at least 1, decay in (0, 1], temperature positive, got "
                f"{self.width}, {self.hidden}, {self.decay}, {self.temperature}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), got {self.dropout}")
        if not self.aligned and self.features == "id":
            raise ValueError("without alignment an item is its text vector: features 'id' leaves nothing; take 'text'")


class AlignmentHeads(nn.Module):
    """Both heads.

    Args:
        texts: (V, D) text vectors of the items; fixed.
        config: shape.
        seed: of the initial weights.
    """

    def __init__(self, texts: ArrayLike, config: HeadsConfig | None = None, seed: int = 0) -> None:
        super().__init__()
        self.config = c = config or HeadsConfig()
        table = F.normalize(torch.from_numpy(np.asarray(texts, dtype=np.float32)), dim=1)
        self.texts: Tensor
        self.register_buffer("texts", table)
        self._kept: tuple[object, Tensor] | None = None
        if c.aligned:
            self._make_layers(seed)

    def _make_layers(self, seed: int) -> None:
        """What is learnt."""
        c, (items, texts_width) = self.config, self.texts.shape
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.item_head = nn.Sequential(nn.Linear(texts_width, c.hidden), nn.GELU(), nn.Linear(c.hidden, c.width))
            self.user_head = nn.Sequential(nn.Linear(2 * c.width, c.hidden), nn.GELU(), nn.Linear(c.hidden, c.width))
            self.offsets = nn.Embedding(items, c.width)
            nn.init.normal_(self.offsets.weight, std=0.1 if c.features == "id" else 0.0)
        self.drop = nn.Dropout(c.dropout)

    @property
    def num_items(self) -> int:
        """V."""
        return len(self.texts)

    @property
    def width(self) -> int:
        """d: the configuration's, that of the texts without alignment."""
        return self.config.width if self.config.aligned else int(self.texts.shape[1])

    def place(self, texts: Tensor) -> Tensor:
        """Text vectors (..., D) in the common space (..., d), before normalisation."""
        unit = F.normalize(texts, dim=-1)
        return self.item_head(unit) if self.config.aligned else unit

    def item_table(self) -> Tensor:
        """Items (V, d), before normalisation."""
        c = self.config
        if c.features == "id":
            return self.offsets.weight
        placed = self.place(self.texts)
        return placed + self.offsets.weight if c.aligned and c.features == "both" else placed

    def kept_table(self) -> Tensor:
        """`item_table` for evaluation: made once for each state of the weights, not for each user."""
        state = (self.texts.device, *(p._version for p in self.parameters()))  # what changes a weight counts it up
        if self._kept is None or self._kept[0] != state:
            with torch.no_grad():
                self._kept = state, self.item_table()
        return self._kept[1]

    def users(self, histories: Tensor, table: Tensor) -> Tensor:
        """User vectors (B, d) of length 1 from histories (B, L), oldest first, -1 padded at the left."""
        real = (histories >= 0).float()
        vectors = table[histories.clamp_min(0)] * real[..., None]
        ages = torch.arange(histories.shape[1] - 1, -1, -1, device=histories.device)
        weight = real * self.config.decay**ages
        mean = (vectors * weight[..., None]).sum(1) / weight.sum(1, keepdim=True).clamp_min(1e-9)
        if not self.config.aligned:
            return F.normalize(mean, dim=1)
        features = self.drop(torch.cat([mean, vectors[:, -1]], dim=1))
        return F.normalize(mean + self.user_head(features), dim=1)

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Mean InfoNCE of a batch, see `genrec.fit`."""
        table = self.item_table()
        users = self.users(batch["histories"], table)
        unit = F.normalize(table, dim=1)
        hard = unit[batch["hard"].clamp_min(0)] if "hard" in batch else None
        mask = batch["hard"] >= 0 if "hard" in batch else None
        items = unit[batch["targets"]]
        loss = symmetric_info_nce(users, items, self.config.temperature, batch["false_negatives"], hard, mask)
        return {"loss": loss, "weight": torch.tensor(float(len(users)))}

    @torch.no_grad()
    def encode(self, histories: Sequence[ArrayLike]) -> Tensor:
        """User vectors (n, d) after each history; an empty one is the zero vector. Evaluation mode."""
        self.eval()
        padded = left_padded([np.asarray(h, dtype=np.int64) for h in histories])
        empty = torch.tensor([len(np.asarray(h)) == 0 for h in histories])
        return self.users(padded, self.kept_table()).masked_fill(empty[:, None], 0.0)

    @torch.no_grad()
    def score_histories(self, histories: Sequence[IntArray]) -> Tensor:
        """Cosines (n, V), see `genrec.backbones.protocol.IdModel`."""
        return self.encode(histories) @ F.normalize(self.kept_table(), dim=1).T

    @torch.no_grad()
    def item_vectors(self) -> NDArray[np.float32]:
        """Item vectors (V, d) of length 1."""
        self.eval()
        return F.normalize(self.kept_table(), dim=1).numpy()

    @torch.no_grad()
    def place_texts(self, texts: ArrayLike) -> NDArray[np.float32]:
        """Text vectors (n, D) of wishes or new items in the common space (n, d), length 1; zeros stay zero."""
        self.eval()
        raw = torch.from_numpy(np.asarray(texts, dtype=np.float32))
        placed = F.normalize(self.place(raw), dim=1)
        return placed.masked_fill((raw == 0).all(1, keepdim=True), 0.0).numpy()

    def save(self, folder: str | Path) -> None:
        """Write heads.safetensors and, last, heads.json."""
        weights = {name: value.detach().contiguous() for name, value in self.state_dict().items()}
        write_whole(Path(folder) / "heads.safetensors", save(weights))
        write_json(Path(folder) / "heads.json", asdict(self.config))

    @classmethod
    def load(cls, folder: str | Path) -> AlignmentHeads:
        """Read what `save` wrote.

        Raises:
            ValueError: there are no heads in the folder.
        """
        path = Path(folder)
        if not (path / "heads.json").is_file():
            raise ValueError(f"'{path}' holds no heads.json; run recipes/llmrec_align.py")
        weights = load_file(path / "heads.safetensors")
        model = cls(weights["texts"].numpy(), HeadsConfig(**read_json(path / "heads.json")))
        model.load_state_dict(weights)
        return model.eval()


def left_padded(histories: Sequence[IntArray]) -> Tensor:
    """Histories as (n, L), -1 at the left."""
    width = max([len(h) for h in histories] + [1])
    table = torch.full((len(histories), width), -1, dtype=torch.int64)
    for row, history in enumerate(histories):
        if len(history):
            table[row, width - len(history) :] = torch.from_numpy(history)
    return table
