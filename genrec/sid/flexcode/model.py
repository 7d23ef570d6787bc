"""How are two RQ-VAEs and the router trained together? FlexCode's module.

Legend: B items, n catalogue, Lc and Ls levels of the collaborative and the semantic codebook, d latent width.
Source: METHODS 3 and arXiv 2511.20673. Ours: an item's two reconstructions are weighed by how reliable its
collaborative vector is (`2 r` and `2 (1 - r)`), because reconstruction alone cannot tell signal from noise; that is
what makes popular items take collaborative tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genrec.sid.flexcode.config import FlexCodeConfig
from genrec.sid.flexcode.losses import (
    balance_loss,
    budget_loss,
    hard_mask,
    info_nce,
    rounded_split,
    smoothness_loss,
    soft_mask,
)
from genrec.sid.rqvae.losses import reconstruction_values
from genrec.sid.rqvae.model import RQVAE, Passed


@dataclass
class ItemTables:
    """The catalogue as tensors.

    Attributes:
        collaborative: (n, Dc) standardised vectors.
        semantic: (n, Ds) standardised vectors.
        features: (n, F) of the router, in [0, 1].
        reliability: (n,) of the collaborative vectors, in (0, 1).
        strata: (n,) popularity stratum.
        known: (n,) bool, True for items with training interactions.
        near: (n, k) items with the nearest semantic vectors, not the item itself.
        closeness: (n, k) their cosines.
    """

    collaborative: Tensor
    semantic: Tensor
    features: Tensor
    reliability: Tensor
    strata: Tensor
    known: Tensor
    near: Tensor
    closeness: Tensor


class Router(nn.Module):
    """PATA: popularity features to the collaborative share and to the budget.

    Args:
        features: F.
        config: width, budget limits and ablations.
        budget: mean budget.
    """

    def __init__(self, features: int, config: FlexCodeConfig, budget: int) -> None:
        super().__init__()
        self.config, self.budget = config, budget
        hidden = config.router_hidden
        self.layers = nn.Sequential(nn.Linear(features, hidden), nn.GELU(), nn.Linear(hidden, 2))

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Collaborative share alpha (B,) in [0, 1] and tokens (B,) of features (B, F)."""
        c = self.config
        share, size = (c.router_gain * self.layers(features)).sigmoid().unbind(dim=1)
        fixed = {"collaborative": 1.0, "semantic": 0.0}.get(c.codebooks, 0.5 if c.split == "fixed" else None)
        alpha = share if fixed is None else torch.full_like(share, fixed)
        if not c.variable_budget:
            return alpha, torch.full_like(size, float(self.budget))
        return alpha, c.min_budget + size * (c.max_budget - c.min_budget)


class FlexCode(nn.Module):
    """Both RQ-VAEs and the router; batches are item numbers.

    Args:
        tables: the catalogue.
        size: codes per level.
        budget: mean tokens per item.
        config: settings.
        seed: of the initial weights.
    """

    def __init__(self, tables: ItemTables, size: int, budget: int, config: FlexCodeConfig, seed: int = 0) -> None:
        super().__init__()
        self.tables, self.config, self.budget = tables, config, budget
        levels = [size] * (config.max_budget if config.variable_budget else budget)
        self.collaborative = RQVAE(tables.collaborative.shape[1], levels, config, seed)
        self.semantic = RQVAE(tables.semantic.shape[1], levels, config, seed + 1)
        with torch.random.fork_rng():
            torch.manual_seed(seed + 2)
            self.router = Router(tables.features.shape[1], config, budget)
        self.collaborative.start_codebooks(tables.collaborative, seed)
        self.semantic.start_codebooks(tables.semantic, seed + 1)

    @property
    def least_semantic(self) -> int:
        """Semantic tokens that every item keeps: one, unless there are no semantic codebooks."""
        return 0 if self.config.codebooks == "collaborative" else 1

    def loss(self, items: Tensor) -> Tensor:
        """Total loss of items (B,): both reconstructions, CCA, balance, smoothness and budget."""
        return self.losses(items)[0]

    def losses(self, items: Tensor) -> tuple[Tensor, tuple[Passed, Passed], tuple[Tensor, Tensor]]:
        """Total loss of items (B,), with both passes and both soft masks (B, L) for what is trained along."""
        t, c = self.tables, self.config
        alpha, budget = self.router(t.features[items])
        levels = len(self.semantic.books)
        masks = [soft_mask(count, levels, c.mask_temperature) for count in (alpha * budget, (1 - alpha) * budget)]
        left, right = t.collaborative[items], t.semantic[items]
        passes = self.collaborative(left, masks[0]), self.semantic(right, masks[1])
        reliability = t.reliability[items]
        total = (2 * reliability * self.collaborative.values(left, passes[0], masks[0])).mean()
        total = total + (2 * (1 - reliability) * self.semantic.values(right, passes[1], masks[1])).mean()
        total = total + c.balance * balance_loss(alpha, t.strata[items])
        total = total + c.smoothness * self._unevenness(items, alpha, budget)
        total = total + c.budget_weight * budget_loss(budget, float(self.budget))
        return total + self._alignment(passes, t.known[items]), passes, (masks[0], masks[1])

    def _unevenness(self, items: Tensor, alpha: Tensor, budget: Tensor) -> Tensor:
        """How much alpha and budget differ from those of the nearest texts, a batch of which hardly holds any."""
        t, near = self.tables, self.tables.near[items]
        near_alpha, near_budget = (part.view_as(near) for part in self.router(t.features[near].flatten(0, 1)))
        weights, whole = t.closeness[items], float(self.budget)
        split = smoothness_loss(alpha, near_alpha, weights)
        return split + smoothness_loss(budget / whole, near_budget / whole, weights)

    def _alignment(self, passes: tuple[Passed, Passed], known: Tensor) -> Tensor:
        """CCA between both quantised latents of the same known item; rare items have nothing to align with.

        METHODS names the reconstructions; they lie in spaces of different width, their latents in one (ours).
        """
        c = self.config
        if c.alignment == 0 or c.codebooks != "both":
            return passes[0].quantised.new_zeros(())
        left, right = passes[0].quantised[known], passes[1].quantised[known]
        return c.alignment * info_nce(left, right, c.alignment_temperature)

    @torch.no_grad()
    def route(self) -> tuple[Tensor, Tensor, Tensor]:
        """Alpha (n,) and the whole numbers of collaborative and semantic tokens (n,) of every item."""
        alpha, budget = self.router(self.tables.features)
        return alpha, *rounded_split(alpha, budget, self.least_semantic)

    @torch.no_grad()
    def errors(self) -> tuple[Tensor, Tensor]:
        """Squared reconstruction errors (n,) of both vectors from the rounded tokens alone; evaluation mode."""
        _, cf, sem = self.route()
        t, levels = self.tables, len(self.semantic.books)
        left = self.collaborative(t.collaborative, hard_mask(cf, levels)).reconstruction
        right = self.semantic(t.semantic, hard_mask(sem, levels)).reconstruction
        return reconstruction_values(t.collaborative, left), reconstruction_values(t.semantic, right)

    def quality(self) -> dict[str, float]:
        """Minus the weighted reconstruction error from rounded tokens: what chooses the epoch."""
        left, right = self.errors()
        r = self.tables.reliability
        return {"minus_error": -float((2 * r * left + 2 * (1 - r) * right).mean())}
