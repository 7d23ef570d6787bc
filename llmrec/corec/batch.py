"""What does CoRec need of a sequence besides the next items? Two views, a part, its interests, noise.

Everything drawn for a sequence comes from the step's seed and the sequence itself, whichever process holds it.

Legend: B sequences, L longest of the batch, C clusters, z latent width. Padding is `num_items`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec.backbones.sequence import SequenceModel
from genrec.fit.sequences import Batch, pad_right
from llmrec.corec.config import CoRecConfig
from llmrec.corec.interests import Interests
from llmrec.corec.views import ViewConfig, random_view
from llmrec.enriched import UserWindow

IntArray = NDArray[np.int64]


class SequenceBatches:
    """Makes the tensors of whole sequences.

    Args:
        interests: clusters of the items.
        config: shares.
        backbone: tells padding, mask and the longest history.
        views: strengths of the augmentations.
    """

    def __init__(
        self, interests: Interests, config: CoRecConfig, backbone: SequenceModel, views: ViewConfig | None = None
    ) -> None:
        """Keep what is needed."""
        self.interests, self.config, self.views = interests, config, views or ViewConfig()
        self.pad, self.longest = backbone.num_items, backbone.config.max_history
        self.mask: int | None = getattr(backbone, "mask_item", None)

    def __call__(self, windows: Sequence[UserWindow]) -> Batch:
        """Tensors of a batch.

        Args:
            windows: B windows; the whole window is the sequence, its last item included.

        Returns:
            `view_a`, `view_b`, `partial` (B, L) with `last_a`, `last_b`, `last_partial` (B,): the position whose state
            stands for the sequence; `whole` (B, L) its items; `core` (B, C) its core interests; `clusters` (B,) the
            dominant one; `ends` (B,) last items; `sizes` (B,) lengths; `keys` (B, 2) which sequence it is; `noise`
            (B, z).
        """
        items = [window.items[-self.longest :] for window in windows]
        keys = [(window.user, zlib.crc32(window.items.tobytes())) for window in windows]
        draws = [np.random.default_rng((torch.initial_seed(), *key)) for key in keys]
        hidden = self.pad if self.mask is None else self.mask
        batch: Batch = {
            "whole": pad_right(items, self.pad),
            "core": torch.from_numpy(np.stack([self.interests.core(own, self.config.core_share) for own in items])),
            "clusters": torch.tensor([self.interests.dominant(own) for own in items]),
            "ends": torch.tensor([int(own[-1]) for own in items]),
            "sizes": torch.tensor([len(own) for own in items]),
            "keys": torch.tensor(keys),
            "noise": torch.from_numpy(np.stack([draw.standard_normal(self.config.latent) for draw in draws])),
        }
        pairs = list(zip(items, draws, strict=True))
        for name in "ab":
            views = [random_view(own, self.views, hidden, draw) for own, draw in pairs]
            batch |= self._asked(views, name)
        parts = [own[draw.random(len(own)) >= self.config.hidden_share] for own, draw in pairs]
        left = [part if len(part) else own[-1:] for part, own in zip(parts, items, strict=True)]
        return batch | self._asked(left, "partial")

    def _asked(self, sequences: Sequence[IntArray], name: str) -> dict[str, Tensor]:
        """Padded sequences, and the position whose state stands for each: the last, for BERT4Rec a mask behind it."""
        if self.mask is not None:
            sequences = [np.append(own[-(self.longest - 1) :], self.mask) for own in sequences]
        table = "partial" if name == "partial" else f"view_{name}"
        last = torch.tensor([len(own) - 1 for own in sequences])
        return {table: pad_right(sequences, self.pad), f"last_{name}": last}
