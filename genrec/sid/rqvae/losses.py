"""What should a quantising autoencoder be pulled towards? Pure functions.

Legend: B items, L levels, d width, N codes of a level. `mask` (B, L) holds shares in [0, 1]: 1 means that the level
is one of the item's tokens, None means that all are.
Source: van den Oord et al. 2017 (arXiv 1711.00937) and Rajput et al. 2023 (TIGER, arXiv 2305.05065).
"""

from __future__ import annotations

import torch
from torch import Tensor


def reconstruction_values(inputs: Tensor, outputs: Tensor) -> Tensor:
    """Squared distance (B,) between inputs (B, d) and their reconstruction (B, d), summed over d."""
    return (inputs - outputs).square().sum(dim=1)


def commitment_values(residuals: Tensor, chosen: Tensor, mask: Tensor | None = None) -> Tensor:
    """How far the encoder is from its codewords.

    Args:
        residuals: (B, L, d) what each level had to quantise; gradient flows here.
        chosen: (B, L, d) codewords; no gradient.
        mask: (B, L) or None; no gradient, or an item would save tokens to look committed.

    Returns:
        (B,) squared distances, summed over levels.
    """
    gaps = (residuals - chosen.detach()).square().sum(dim=2)
    return gaps.sum(dim=1) if mask is None else (gaps * mask.detach()).sum(dim=1)


def codebook_values(residuals: Tensor, chosen: Tensor, mask: Tensor | None = None) -> Tensor:
    """How far codewords are from what they stand for: `commitment_values` with the gradient on the codewords."""
    return commitment_values(chosen, residuals, mask)


def masked_sum(chosen: Tensor, mask: Tensor | None = None) -> Tensor:
    """Sum (B, d) over levels of codewords (B, L, d), each times its share of the mask (B, L)."""
    return chosen.sum(dim=1) if mask is None else (chosen * mask[:, :, None]).sum(dim=1)


def straight_through(latent: Tensor, quantised: Tensor) -> Tensor:
    """The quantised value, whose gradient also reaches the latent unchanged.

    Args:
        latent: (B, d) of the encoder.
        quantised: (B, d); what gradient it carries (of a soft mask) is kept.

    Returns:
        (B, d), equal to `quantised`.
    """
    return quantised + (latent - latent.detach())


def moving_average(
    counts: Tensor, sums: Tensor, points: Tensor, codes: Tensor, weights: Tensor, decay: float
) -> tuple[Tensor, Tensor]:
    """Exponential moving average of a codebook's cluster sizes and sums.

    Args:
        counts: (N,) average weight of each code.
        sums: (N, d) average sum of its points.
        points: (B, d) of a batch.
        codes: (B,) code of each point.
        weights: (B,) share in [0, 1] with which a point counts.
        decay: share of the old value, in [0, 1).

    Returns:
        New counts (N,) and sums (N, d); codewords are sums / counts.
    """
    fresh_counts = torch.zeros_like(counts).index_add_(0, codes, weights)
    fresh_sums = torch.zeros_like(sums).index_add_(0, codes, points * weights[:, None])
    return decay * counts + (1 - decay) * fresh_counts, decay * sums + (1 - decay) * fresh_sums


def dead_codes(counts: Tensor, share: float) -> Tensor:
    """Which codes hardly any item uses.

    Args:
        counts: (N,) average weight of each code.
        share: of the mean weight; below it a code is dead.

    Returns:
        (N,) bool, True for dead codes; none when the whole level is unused (nothing there could revive them).
    """
    return (counts < share * counts.mean()) & (counts.mean() > 0)
