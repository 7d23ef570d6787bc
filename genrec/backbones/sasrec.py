"""Which item follows a history, by ids alone? SASRec with full-catalogue cross-entropy.

Source: Kang and McAuley 2018 (arXiv 1808.09781). Where we differ: softmax cross-entropy over all items at
every
position instead of one sampled negative (Klenitskiy and Vasilev 2023, arXiv 2309.07602: the stronger
baseline),
GELU with a wider inner layer, and right padding (causal attention never sees it, so no mask is needed).

Legend: B sequences, L longest of the batch, d width, N real positions of the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor, nn

from genrec.backbones.catalogue_loss import catalogue_cross_entropy
from genrec.data.files import read_json, write_json, write_whole
from genrec.fit.sequences import pad_right


@dataclass
class SASRecConfig:
    """Shape of a SASRec.

    Attributes:
        width: embedding width d.
        num_layers: transformer layers.
        num_heads: attention heads, a divisor of width.
        inner_width: width of the feed-forward layer, 0 for 4 * width.
        dropout: dropout of embeddings and of both branches of a layer.
        max_history: most recent items that are read.
    """

    width: int = 64
    num_layers: int = 2
    num_heads: int = 2
    inner_width: int = 0
    dropout: float = 0.5
    max_history: int = 50

    def __post_init__(self) -> None:
        """Refuse shapes that cannot work."""
        if self.width < 1 or self.num_heads < 1 or self.width % self.num_heads:
            raise ValueError(
                f"width must be a multiple of num_heads, got width={self.width}, num_heads={self.num_heads}"
            )
        if self.num_layers < 1 or self.max_history < 1 or not 0.0 <= self.dropout < 1.0:
            raise ValueError(
                "num_layers and max_history must be at least 1 and dropout in [0, 1), got "
                f"{self.num_layers}, {self.max_history}, {self.dropout}"
            )


class Layer(nn.Module):
    """Pre-norm transformer layer with causal attention."""

    def __init__(self, config: SASRecConfig) -> None:
        """Make the projections."""
        super().__init__()
        width, inner = config.width, config.inner_width or 4 * config.width
        self.num_heads = config.num_heads
        self.attention_norm, self.inner_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.inner = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        """Map (B, L, d) to (B, L, d); position t sees positions 0..t."""
        hidden = hidden + self.dropout(self.out(self._attend(self.attention_norm(hidden))))
        return hidden + self.dropout(self.inner(self.inner_norm(hidden)))  # type: ignore[no-any-return]

    def _attend(self, normed: Tensor) -> Tensor:
        """Causal multi-head attention, (B, L, d) to (B, L, d)."""
        batch, length, width = normed.shape
        split = self.query_key_value(normed).view(batch, length, 3, self.num_heads, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # each (B, heads, L, d / heads)
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return mixed.transpose(1, 2).reshape(batch, length, width)


class SASRec(nn.Module):
    """Causal transformer over item ids with tied input and output vectors.

    Args:
        num_items: catalogue size.
        config: shape.
        seed: seed of the initial weights.
    """

    def __init__(self, num_items: int, config: SASRecConfig | None = None, seed: int = 0) -> None:
        """Make and initialise the weights."""
        super().__init__()
        self.config = config or SASRecConfig()
        self._num_items = num_items
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.items = nn.Embedding(num_items + 1, self.config.width, padding_idx=num_items)
            self.positions = nn.Embedding(self.config.max_history, self.config.width)
            self.layers = nn.ModuleList(Layer(self.config) for _ in range(self.config.num_layers))
            self.norm, self.dropout = nn.LayerNorm(self.config.width), nn.Dropout(self.config.dropout)
            self.apply(_initialise)

    @property
    def num_items(self) -> int:
        """Catalogue size; also the id that pads inputs."""
        return self._num_items

    def forward(self, inputs: Tensor) -> Tensor:
        """Hidden state at every position.

        Args:
            inputs: (B, L) items, oldest first, right-padded with `num_items`, L at most `max_history`.

        Returns:
            (B, L, d) states; a position's state scores the item after it.
        """
        positions = torch.arange(inputs.shape[1], device=inputs.device)
        hidden = self.dropout(self.items(inputs) * self.config.width**0.5 + self.positions(positions))
        for layer in self.layers:
            hidden = layer(hidden)
        return self.norm(hidden)  # type: ignore[no-any-return]

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Mean cross-entropy over the whole catalogue at every real position.

        Args:
            batch: `inputs` (B, L) and `targets` (B, L), -1 where there is none.

        Returns:
            "loss", a scalar in nats, and "weight", the number N of targets.
        """
        real = batch["targets"] >= 0
        hidden = self(batch["inputs"])[real]  # (N, d): padded positions cost no logits
        loss = catalogue_cross_entropy(hidden, self.items.weight[: self.num_items], batch["targets"][real])
        return {"loss": loss, "weight": real.sum()}

    @torch.no_grad()
    def score_histories(self, histories: Sequence[NDArray[np.int64]]) -> Tensor:
        """Score all items after each history; see `IdModel`. Switches to evaluation mode."""
        self.eval()
        recent = [np.asarray(history)[-self.config.max_history :] for history in histories]
        inputs = pad_right(recent, self.num_items).to(self.items.weight.device)
        last = torch.tensor([max(1, len(history)) - 1 for history in recent], device=inputs.device)
        hidden = self(inputs)[torch.arange(len(recent), device=inputs.device), last]
        return torch.mm(hidden, self.items.weight[: self.num_items].T)

    def item_vectors(self) -> NDArray[np.float32]:
        """Learnt item vectors (num_items, d) as float32."""
        return np.array(self.items.weight[: self.num_items].detach().float().cpu(), dtype=np.float32)

    def save(self, folder: str | Path) -> None:
        """Write `sasrec.safetensors` and, last, `sasrec.json` (shape) into a folder."""
        weights = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        write_whole(Path(folder) / "sasrec.safetensors", save(weights))
        write_json(Path(folder) / "sasrec.json", {"num_items": self.num_items, **asdict(self.config)})

    @classmethod
    def load(cls, folder: str | Path) -> SASRec:
        """Read what `save` wrote, in evaluation mode."""
        shape = read_json(Path(folder) / "sasrec.json")
        model = cls(shape.pop("num_items"), SASRecConfig(**shape))
        model.load_state_dict(load_file(Path(folder) / "sasrec.safetensors"))
        return model.eval()


def _initialise(module: nn.Module) -> None:
    """Small normal weights, zero biases, a zero padding row."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        with torch.no_grad():
            module.weight[module.padding_idx].zero_()
