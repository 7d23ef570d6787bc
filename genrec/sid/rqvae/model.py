"""How does a vector pass through residual codebooks and back? The RQ-VAE.

Legend: B items, D input width, d latent width, L levels.
Source: Rajput et al. 2023 (TIGER, arXiv 2305.05065). Where we differ: codewords start at residual k-means of the
untrained encoder's latents, move by EMA (or by gradient, as in TIGER), and dead codes are revived.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from genrec.sid.rq_kmeans import RQKMeans, fit_rq_kmeans
from genrec.sid.rqvae.codebook import Codebook
from genrec.sid.rqvae.losses import (
    codebook_values,
    commitment_values,
    masked_sum,
    reconstruction_values,
    straight_through,
)


@dataclass
class RQVAEConfig:
    """Shape and schedule of an RQ-VAE.

    Raises:
        ValueError: a setting outside its range.
    """

    latent: int = field(default=32, metadata={"help": "width of the codewords"})
    hidden: int = field(default=256, metadata={"help": "width of the layer between input and latent"})
    update: str = field(default="ema", metadata={"help": "codewords move by ema or by gradient"})
    decay: float = field(default=0.95, metadata={"help": "share of the old mean that an EMA update keeps"})
    revive_below: float = field(default=0.02, metadata={"help": "share of the mean usage below which a code is dead"})
    commitment: float = field(default=0.25, metadata={"help": "weight of the commitment loss"})
    epochs: int = field(default=100, metadata={"help": "passes over the catalogue"})
    batch_size: int = field(default=512, metadata={"help": "items per step"})
    learning_rate: float = field(default=1e-3, metadata={"help": "peak learning rate"})

    def __post_init__(self) -> None:
        if self.update not in ("ema", "gradient"):
            raise ValueError(f"update is {self.update!r}; choose 'ema' or 'gradient'")
        if min(self.latent, self.hidden, self.epochs, self.batch_size) < 1:
            raise ValueError(
                "latent, hidden, epochs and batch_size must be at least 1, got "
                f"{self.latent}, {self.hidden}, {self.epochs}, {self.batch_size}"
            )
        if not 0 <= self.decay < 1 or not 0 <= self.revive_below < 1 or self.commitment < 0:
            raise ValueError(
                "decay and revive_below must lie in [0, 1) and commitment must not be negative, got "
                f"{self.decay}, {self.revive_below}, {self.commitment}"
            )


@dataclass
class Passed:
    """What an RQ-VAE made of a batch.

    Attributes:
        codes: (B, L) chosen codes.
        residuals: (B, L, d) what each level had to quantise.
        chosen: (B, L, d) codewords.
        quantised: (B, d) masked sum of codewords, gradient straight through to the encoder.
        reconstruction: (B, D).
    """

    codes: Tensor
    residuals: Tensor
    chosen: Tensor
    quantised: Tensor
    reconstruction: Tensor


class RQVAE(nn.Module):
    """Encoder, residual codebooks, decoder.

    Args:
        width: D.
        sizes: codes per level.
        config: shape; its schedule is read by the learner.
        seed: of the initial weights.
    """

    def __init__(self, width: int, sizes: Sequence[int], config: RQVAEConfig, seed: int = 0) -> None:
        super().__init__()
        self.config = c = config
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.encoder = nn.Sequential(nn.Linear(width, c.hidden), nn.GELU(), nn.Linear(c.hidden, c.latent))
            self.decoder = nn.Sequential(nn.Linear(c.latent, c.hidden), nn.GELU(), nn.Linear(c.hidden, width))
        books = [Codebook(n, c.latent, c.update, c.decay, c.revive_below) for n in sizes]  # type: ignore[arg-type]
        self.levels = nn.ModuleList(books)

    @property
    def books(self) -> list[Codebook]:
        """The codebooks, level by level."""
        return cast("list[Codebook]", list(self.levels))

    @torch.no_grad()
    def start_codebooks(self, inputs: Tensor, seed: int) -> None:
        """Put the codewords at residual k-means of the latents of inputs (n, D)."""
        sizes = [len(book.codewords) for book in self.books]
        quantiser = fit_rq_kmeans(self.encoder(inputs).cpu().numpy(), len(sizes), sizes, seed=seed, refine_rounds=0)
        for book, codewords in zip(self.books, quantiser.codebooks, strict=True):
            book.start_at(torch.from_numpy(codewords))

    def forward(self, inputs: Tensor, mask: Tensor | None = None) -> Passed:
        """Quantise and reconstruct inputs (B, D); mask (B, L) says how much of each level is used, None = all."""
        latent = self.encoder(inputs)
        residual, codes, residuals, chosen = latent, [], [], []
        for level, book in enumerate(self.books):
            code = book.nearest(residual)
            if self.training:
                book.learn(residual, code, None if mask is None else mask[:, level])
            word = book.codewords[code]
            codes.append(code)
            residuals.append(residual)
            chosen.append(word)
            residual = residual - word.detach()
        words = torch.stack(chosen, dim=1)
        quantised = straight_through(latent, masked_sum(words.detach(), mask))
        return Passed(torch.stack(codes, 1), torch.stack(residuals, 1), words, quantised, self.decoder(quantised))

    def values(self, inputs: Tensor, passed: Passed, mask: Tensor | None = None) -> Tensor:
        """Loss (B,) of each item: reconstruction, commitment, and the codebook term where codewords take gradients."""
        loss = reconstruction_values(inputs, passed.reconstruction)
        loss = loss + self.config.commitment * commitment_values(passed.residuals, passed.chosen, mask)
        if self.config.update == "gradient":
            loss = loss + codebook_values(passed.residuals, passed.chosen, mask)
        return loss

    def loss(self, batch: Tensor) -> Tensor:
        """Mean loss of inputs (B, D): what `genrec.fit` minimises."""
        return self.values(batch, self(batch)).mean()

    @property
    def revived(self) -> list[int]:
        """How many dead codes each level revived while training."""
        return [int(book.revived) for book in self.books]

    @torch.no_grad()
    def latents(self, inputs: Tensor) -> Tensor:
        """Encoder outputs (n, d) of inputs (n, D)."""
        return self.encoder(inputs)  # type: ignore[no-any-return]

    def quantiser(self) -> RQKMeans:
        """The codebooks as a quantiser of latents, for what works on codebooks: seating, health."""
        return RQKMeans([book.codewords.detach().cpu().numpy().copy() for book in self.books])
