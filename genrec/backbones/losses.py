"""How is a state told which item follows, when scoring the whole catalogue is too much? Losses over negatives.

Legend: N positions, K negatives each, V items. `positive` (N,) scores the true next item, `negative` (N, K) the drawn
ones; a negative score of -inf is left out (it hit the target by accident). All losses are means over positions in nats
and 0 for N = 0. Cross-entropy over the whole catalogue stands in `genrec.backbones.catalogue_loss`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def bce_loss(positive: Tensor, negative: Tensor) -> Tensor:
    """Binary cross-entropy: -log sigmoid(s+) - sum over negatives of log(1 - sigmoid(s-)).

    Args:
        positive: (N,) scores.
        negative: (N, K) scores.

    Returns:
        Scalar.

    Source: Kang and McAuley 2018 (arXiv 1808.09781), equation 7, with K negatives instead of 1.
    """
    return _mean(F.softplus(-positive) + F.softplus(negative).sum(-1))


def gbce_beta(num_negatives: int, num_items: int, t: float) -> float:
    """Exponent of the positive term of gBCE.

    Args:
        num_negatives: K drawn per position.
        num_items: V.
        t: calibration in [0, 1].

    Returns:
        `alpha * (t * (1 - 1/alpha) + 1/alpha)` with `alpha = K / (V - 1)`: 1 at t = 0, alpha at t = 1.

    Raises:
        ValueError: a catalogue of fewer than two items, or t outside [0, 1].

    Source: Petrov and Macdonald 2023 (arXiv 2308.07192), equation 23.
    """
    if num_items < 2 or num_negatives < 1 or not 0.0 <= t <= 1.0:
        raise ValueError(
            f"gBCE needs 2 items, 1 negative and t in [0, 1], got {num_items} items, {num_negatives} negatives, t={t}"
        )
    alpha = min(1.0, num_negatives / (num_items - 1))
    return alpha * (t * (1.0 - 1.0 / alpha) + 1.0 / alpha)


def gbce_loss(positive: Tensor, negative: Tensor, beta: float) -> Tensor:
    """Generalised BCE: the positive probability is raised to beta, which undoes the overconfidence of sampling.

    Args:
        positive: (N,) scores.
        negative: (N, K) scores.
        beta: see `gbce_beta`; 1 gives `bce_loss`.

    Returns:
        Scalar, mean of `-beta * log sigmoid(s+) - sum log(1 - sigmoid(s-))`.

    Source: Petrov and Macdonald 2023 (arXiv 2308.07192), equation 9; they divide by K + 1, we do not, so that
    bce and gbce differ in beta only.
    """
    return _mean(beta * F.softplus(-positive) + F.softplus(negative).sum(-1))


def sampled_softmax_loss(positive: Tensor, negative: Tensor, num_items: int) -> Tensor:
    """Cross-entropy against a sample that stands for all other items.

    Args:
        positive: (N,) scores.
        negative: (N, K) scores of items drawn uniformly; -inf where the draw hit the target.
        num_items: V. Each kept negative counts for (V - 1) / (number kept) items.

    Returns:
        Scalar, mean of `-s+ + log(exp s+ + (V - 1)/K * sum exp s-)`; with every other item drawn once it equals
        the full cross-entropy.

    Source: Jean et al. 2015 (arXiv 1412.2007); the correction for uniform draws is log of the expected count.
    """
    kept = torch.isfinite(negative).sum(-1).clamp_min(1)
    shift = math.log(max(1, num_items - 1)) - kept.log()
    logits = torch.cat([positive[:, None], negative + shift[:, None]], dim=1)
    return _mean(logits.logsumexp(1) - positive)


def _mean(terms: Tensor) -> Tensor:
    """Mean of (N,) terms, 0 (with a gradient of 0) when there are none."""
    return terms.sum() / max(1, len(terms))
