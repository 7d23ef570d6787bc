"""How does one level choose, move and revive its codewords?

Legend: B points, d width, N codes.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from genrec.sid.rqvae.losses import dead_codes, moving_average

Update = Literal["ema", "gradient"]
TINY = 1e-6


class Codebook(nn.Module):
    """Codewords of one level.

    Args:
        size: N.
        width: d.
        update: "ema" moves codewords to the running mean of their points; "gradient" leaves that to the optimizer
            (straight-through encoder, codebook loss).
        decay: share of the old mean that an update keeps.
        revive_below: a code with less than this share of the mean usage moves to a random point of the batch.
    """

    codewords: Tensor
    counts: Tensor
    sums: Tensor
    revived: Tensor

    def __init__(
        self, size: int, width: int, update: Update = "ema", decay: float = 0.95, revive_below: float = 0.02
    ) -> None:
        super().__init__()
        self.update, self.decay, self.revive_below = update, decay, revive_below
        start = torch.zeros(size, width)
        if update == "gradient":
            self.codewords = nn.Parameter(start)
        else:
            self.register_buffer("codewords", start)
        self.register_buffer("counts", torch.ones(size))
        self.register_buffer("sums", torch.zeros(size, width))
        self.register_buffer("revived", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def start_at(self, codewords: Tensor) -> None:
        """Begin with given codewords (N, d), each as heavy as the others."""
        self.codewords.copy_(codewords)
        self.sums.copy_(codewords)
        self.counts.fill_(1.0)

    def nearest(self, points: Tensor) -> Tensor:
        """Code (B,) of the nearest codeword of each point (B, d); the lower code on a tie."""
        words = self.codewords.detach()
        return (points.detach() @ words.T - 0.5 * words.square().sum(dim=1)).argmax(dim=1)

    @torch.no_grad()
    def learn(self, points: Tensor, codes: Tensor, weights: Tensor | None = None) -> None:
        """Count a training batch, move codewords (with "ema") and revive dead ones.

        Args:
            points: (B, d).
            codes: (B,) as chosen.
            weights: (B,) share in [0, 1] with which a point counts, None for 1.
        """
        points = points.detach()
        weights = points.new_ones(len(points)) if weights is None else weights.detach()
        self.counts, self.sums = moving_average(self.counts, self.sums, points, codes, weights, self.decay)
        if self.update == "ema":
            used = self.counts > TINY
            self.codewords[used] = self.sums[used] / self.counts[used, None]
        self._revive(points, weights)

    def _revive(self, points: Tensor, weights: Tensor) -> None:
        """Dead codes start again at random points of the batch, drawn by weight."""
        dead = dead_codes(self.counts, self.revive_below).nonzero()[:, 0]
        if len(dead) == 0 or float(weights.sum()) <= 0:
            return
        picked = points[torch.multinomial(weights + 1e-12, len(dead), replacement=True)]
        mean = self.counts.mean()
        self.codewords[dead] = picked
        self.counts[dead], self.sums[dead] = mean, picked * mean
        self.revived += len(dead)
