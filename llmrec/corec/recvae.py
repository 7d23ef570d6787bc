"""How far does completion alone get? A variational autoencoder over the set of a user's items, RecVAE type.

Source: Shenbin et al. 2020 (arXiv 1912.11160). Kept of it: input dropout, multinomial likelihood, a KL weight that
grows with the number of a user's items. Left out: its composite prior and its alternating updates.

Legend: B users, L longest of the batch, V items, d width. Row V pads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from genrec.backbones.transformer import initialise
from genrec.data.files import write_json, write_whole
from genrec.fit.sequences import Batch, pad_right
from llmrec.corec.losses import gaussian_kl

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class RecVAEConfig:
    """Shape of the autoencoder.

    Attributes:
        width: of item vectors and latent variable.
        hidden: of the encoder's inner layer.
        dropout: share of a user's items that the encoder does not see in training.
        kl_per_item: weight of the KL term per item of the user.
    """

    width: int = 64
    hidden: int = 256
    dropout: float = 0.5
    kl_per_item: float = 0.005


class RecVAE(nn.Module):
    """Scores all items by what usually goes with a set of items; the order of a history is not read.

    Args:
        num_items: V.
        config: shape.
        seed: of the weights.
    """

    name: ClassVar[str] = "recvae"

    def __init__(self, num_items: int, config: RecVAEConfig | None = None, seed: int = 0) -> None:
        """Make and initialise the weights."""
        super().__init__()
        self._num_items, self.config = num_items, config or RecVAEConfig()
        width, hidden = self.config.width, self.config.hidden
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.items = nn.Embedding(num_items + 1, width, padding_idx=num_items)
            self.inner = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.LayerNorm(hidden))
            self.posterior, self.bias = nn.Linear(hidden, 2 * width), nn.Parameter(torch.zeros(num_items))
            self.apply(initialise)

    @property
    def num_items(self) -> int:
        """Catalogue size V."""
        return self._num_items

    def settings(self) -> dict[str, Any]:
        """Kind and shape."""
        return {"model": self.name, **asdict(self.config)}

    def windows(self, histories: Sequence[IntArray]) -> list[IntArray]:
        """The distinct items of every user that has any."""
        return [np.unique(history) for history in histories if len(history)]

    def collator(self) -> Callable[[Sequence[IntArray]], Batch]:
        """Function from item sets to padded `inputs` (B, L)."""
        return lambda sets: {"inputs": pad_right(sets, self.num_items)}

    def infer(self, inputs: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (B, d) from the items (B, L) where `seen` is True."""
        total = (self.items(inputs) * seen[..., None]).sum(1)
        scaled = total * self.config.width**0.5 / seen.sum(1, keepdim=True).clamp_min(1).sqrt()
        mean, log_variance = self.posterior(self.inner(scaled)).chunk(2, -1)
        return mean, log_variance

    def loss(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Negative log-likelihood of a user's items, mean over them, and the KL term."""
        inputs = batch["inputs"]
        real = inputs != self.num_items
        seen = real & (torch.rand(inputs.shape, device=inputs.device) >= self.config.dropout * self.training)
        mean, log_variance = self.infer(inputs, seen)
        noise = torch.randn_like(mean) if self.training else torch.zeros_like(mean)
        scores = (mean + noise * (0.5 * log_variance).exp()) @ self.items.weight[: self.num_items].T + self.bias
        logs = F.log_softmax(scores, -1).gather(1, inputs.clamp_max(self.num_items - 1))
        lost = -(logs * real).sum(1) / real.sum(1)
        weight = self.config.kl_per_item * real.sum(1)
        return {"loss": (lost + weight * gaussian_kl(mean, log_variance)).mean(), "weight": torch.tensor(len(inputs))}

    @torch.no_grad()
    def encode(self, histories: Sequence[IntArray]) -> Tensor:
        """Vectors (n, d + 1) of item sets: the posterior mean, and 1 for the items' bias."""
        self.eval()
        sets = [np.unique(np.asarray(history, dtype=np.int64)) for history in histories]
        inputs = pad_right(sets, self.num_items).to(self.bias.device)
        mean, _ = self.infer(inputs, inputs != self.num_items)
        return torch.cat([mean, torch.ones_like(mean[:, :1])], dim=1)

    def score_histories(self, histories: Sequence[IntArray]) -> Tensor:
        """Scores (n, V) after each history; see `IdModel`."""
        return self.encode(histories) @ torch.from_numpy(self.item_vectors()).to(self.bias.device).T

    @torch.no_grad()
    def item_vectors(self) -> NDArray[np.float32]:
        """Item vectors (V, d + 1): decoder rows and bias."""
        table = torch.cat([self.items.weight[: self.num_items], self.bias[:, None]], dim=1)
        return np.array(table.float().cpu(), dtype=np.float32)

    def save(self, folder: str | Path) -> None:
        """Write `recvae.safetensors` and, last, `recvae.json`."""
        weights = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        write_whole(Path(folder) / "recvae.safetensors", save(weights))
        write_json(Path(folder) / "recvae.json", {"num_items": self.num_items, **asdict(self.config)})
