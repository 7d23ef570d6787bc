"""Which item is missing from a history? BERT4Rec: a transformer that sees both sides, trained on masked items.

Source: Sun et al. 2019 (arXiv 1904.06690). Where we differ: windows of whole histories with a fresh mask at every visit
instead of ten masked copies made beforehand; a set share of the sequences (`last_share`) has only its last item masked,
as recommending does; no bias per item in the output; pre-norm layers. Petrov and Macdonald 2022 (arXiv 2207.07483)
found that the published numbers need long training: compare at equal budgets with care.

Legend: B sequences, L longest of the batch, d width. Ids: items 0..V-1, padding V, mask V + 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genrec.backbones.config import TransformerConfig
from genrec.backbones.sequence import SequenceModel
from genrec.backbones.transformer import Layer, initialise
from genrec.fit.sequences import Batch, IntArray, next_item_windows, pad_right


@dataclass
class BERT4RecConfig(TransformerConfig):
    """Shape of a BERT4Rec.

    Attributes:
        mask_share: share of a sequence's items that is masked, in (0, 1).
        last_share: share of the sequences in which the last item, and no other, is masked, in [0, 1].
    """

    mask_share: float = 0.3
    last_share: float = 0.2

    def __post_init__(self) -> None:
        """Refuse shapes that cannot work."""
        super().__post_init__()
        if not 0.0 < self.mask_share < 1.0 or not 0.0 <= self.last_share <= 1.0:
            raise ValueError(
                "mask_share must be in (0, 1) and last_share in [0, 1], got "
                f"mask_share={self.mask_share}, last_share={self.last_share}"
            )
        if self.max_history < 2:
            raise ValueError(f"max_history must be at least 2 (one place is the mask), got {self.max_history}")


def masked_positions(real: Tensor, draws: Tensor, mask_share: float, last_only: Tensor) -> Tensor:
    """Choose what is hidden.

    Args:
        real: (B, L), True at items, False at padding on the right.
        draws: (B, L) uniform numbers in [0, 1).
        mask_share: an item is hidden when its draw is below.
        last_only: (B,), True where the last item alone is hidden.

    Returns:
        (B, L), True where hidden: at least one item of every sequence that has any; where no draw is low enough,
        the lowest.
    """
    places = torch.arange(real.shape[1], device=real.device)
    last = places == real.sum(1, keepdim=True) - 1
    lowest = places == draws.masked_fill(~real, 2.0).argmin(1, keepdim=True)
    hidden = (draws < mask_share) & real
    hidden = torch.where(hidden.any(1, keepdim=True), hidden, lowest & real)
    return torch.where(last_only[:, None], last, hidden)


class BERT4Rec(SequenceModel):
    """Bidirectional transformer over item ids with tied input and output vectors.

    Args:
        num_items: catalogue size.
        config: shape.
        seed: seed of the initial weights.
    """

    name: ClassVar[str] = "bert4rec"
    config_type = BERT4RecConfig
    causal: ClassVar[bool] = False

    def __init__(self, num_items: int, config: BERT4RecConfig | None = None, seed: int = 0) -> None:
        """Make and initialise the weights."""
        super().__init__(num_items, config or BERT4RecConfig())
        width = self.config.width
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.items = nn.Embedding(num_items + 2, width, padding_idx=num_items)
            self.positions = nn.Embedding(self.config.max_history, width)
            self.layers = nn.ModuleList(Layer(self.config) for _ in range(self.config.num_layers))
            self.out = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
            self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(self.config.dropout)
            self.apply(initialise)

    @property
    def mask_item(self) -> int:
        """Id that hides an item."""
        return self.num_items + 1

    def contextualise(self, embedded: Tensor, inputs: Tensor) -> Tensor:
        """States (B, L, d); every position sees all real ones."""
        seen = inputs != self.num_items
        seen[:, 0] |= ~seen.any(1)  # a row of padding alone sees its first place instead of nothing (NaN)
        from_end = self._places(inputs)
        hidden = self.dropout(embedded * self.config.width**0.5 + self.positions(from_end))
        for layer in self.layers:
            hidden = layer(hidden, seen)
        return self.out(self.norm(hidden))  # type: ignore[no-any-return]

    def _places(self, inputs: Tensor) -> Tensor:
        """Distance (B, L) of each place from the last real one: the mask at the end always has place 0."""
        count = (inputs != self.num_items).sum(1, keepdim=True)
        return (count - 1 - torch.arange(inputs.shape[1], device=inputs.device)).clamp_min(0)

    def questions(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Inputs (B, L) with hidden items, and these items (B, L), -1 elsewhere."""
        whole = batch["inputs"]
        draws = torch.rand(whole.shape, device=whole.device)
        last_only = torch.rand(len(whole), device=whole.device) < self.config.last_share
        hidden = masked_positions(whole != self.num_items, draws, self.config.mask_share, last_only)
        return whole.masked_fill(hidden, self.mask_item), whole.masked_fill(~hidden, -1)

    def windows(self, histories: Sequence[IntArray]) -> list[IntArray]:
        """Windows of 2 to max_history items."""
        return next_item_windows(histories, self.config.max_history - 1)

    def collator(self) -> Callable[[Sequence[IntArray]], Batch]:
        """Function from windows to whole, padded `inputs` (B, L); what is hidden is drawn in `questions`."""
        return lambda windows: {"inputs": pad_right(windows, self.num_items)}

    def prepare(self, histories: Sequence[NDArray[np.int64]]) -> tuple[Tensor, Tensor]:
        """Inputs (n, L) that end in the mask, and its position (n,). An empty history is the mask alone."""
        recent = [np.asarray(history, dtype=np.int64)[-(self.config.max_history - 1) :] for history in histories]
        self._check(recent)
        device = self.items.weight.device
        asked = [np.append(history, self.mask_item) for history in recent]
        return pad_right(asked, self.num_items).to(device), torch.tensor([len(h) for h in recent], device=device)
