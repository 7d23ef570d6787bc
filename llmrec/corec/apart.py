"""What is training both modules together worth? Two models, one with each module, trained apart and added up.

Legend: n histories, V items, d width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from llmrec.corec.losses import adaptive_weights
from llmrec.corec.model import CoRec

IntArray = NDArray[np.int64]


class Apart:
    """Fuses a model with contrast and one with reconstruction.

    Scores are added with the weights that CoRec gives to the modules at this history length, so vectors of users and
    items are those of both models side by side.

    Args:
        contrast: trained with contrast only.
        reconstruction: trained with reconstruction only.
    """

    def __init__(self, contrast: CoRec, reconstruction: CoRec) -> None:
        """Keep both."""
        self.contrast, self.reconstruction = contrast, reconstruction

    @property
    def num_items(self) -> int:
        """Catalogue size V."""
        return self.contrast.num_items

    def encode(self, histories: Sequence[IntArray]) -> Tensor:
        """User vectors (n, 2d)."""
        options = self.contrast.options
        sizes = torch.tensor([len(history) for history in histories])
        rec, con = adaptive_weights(sizes, options.middle, options.scale)
        first, second = self.contrast.encode(histories), self.reconstruction.encode(histories)
        return torch.cat([con[:, None].to(first) * first, rec[:, None].to(second) * second], dim=1)

    def score_histories(self, histories: Sequence[IntArray]) -> Tensor:
        """Scores (n, V) after each history; see `IdModel`."""
        vectors = self.encode(histories)
        return vectors @ torch.from_numpy(self.item_vectors()).to(vectors).T

    def complete(self, histories: Sequence[IntArray]) -> Tensor:
        """Missing items: the reconstruction model's answer."""
        return self.reconstruction.complete(histories)

    def item_vectors(self) -> NDArray[np.float32]:
        """Item vectors (V, 2d)."""
        return np.concatenate([self.contrast.item_vectors(), self.reconstruction.item_vectors()], axis=1)
