"""Which sequences belong together, what is missing from one, and which of both questions counts more?

Legend: N anchors, M keys, B sequences, V items, z latent width. A True in a mask means "counts".
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def adaptive_weights(lengths: Tensor, middle: float, scale: float) -> tuple[Tensor, Tensor]:
    """Weights of reconstruction and contrast by history length.

    Args:
        lengths: (B,) items of each history.
        middle: n0, the length at which both count the same.
        scale: tau, how slowly one gives way to the other, positive.

    Returns:
        `w_rec = sigmoid((n0 - n) / tau)` and `w_con = 1 - w_rec`, (B,) each.

    Raises:
        ValueError: a scale that is not positive.

    Source: METHODS 6.
    """
    if scale <= 0:
        raise ValueError(f"scale (tau) must be positive, got {scale}")
    reconstruction = torch.sigmoid((middle - lengths.float()) / scale)
    return reconstruction, 1.0 - reconstruction


def contrast_terms(
    anchors: Tensor, keys: Tensor, positives: Sequence[Tensor], ignored: Tensor, temperature: float
) -> Tensor:
    """InfoNCE with several kinds of positives, none of which is a negative of another.

    Args:
        anchors: (N, d) sequence vectors.
        keys: (M, d) sequence vectors.
        positives: per kind (N, M) bool, True where the key belongs to the anchor.
        ignored: (N, M) bool, True where the key is neither positive nor negative: the anchor itself, a copy.
        temperature: scores are cosines divided by it.

    Returns:
        (N,) per anchor: mean over the kinds it has of the mean over that kind's keys p of
        `-log(exp s_p / (exp s_p + sum over negatives exp s))`; 0 for an anchor without positives.

    Source: METHODS 6; van den Oord et al. 2018 (arXiv 1807.03748), and Khosla et al. 2020 (arXiv 2004.11362) for
    several positives. The mean over kinds is ours, so that many cluster mates do not drown the own view.
    """
    scores = F.normalize(anchors, dim=-1) @ F.normalize(keys, dim=-1).T / temperature
    kinds = [kind & ~ignored for kind in positives]
    excluded = torch.stack([*kinds, ignored]).any(0)
    rest = scores.masked_fill(excluded, float("-inf")).logsumexp(1, keepdim=True)
    lost = F.softplus(rest - scores)  # -log(e^s / (e^s + e^rest)); 0 without negatives
    total, held = torch.zeros_like(scores[:, 0]), torch.zeros_like(scores[:, 0])
    for kind in kinds:
        count = kind.sum(1)
        total = total + (lost * kind).sum(1) / count.clamp_min(1)
        held = held + (count > 0)
    return total / held.clamp_min(1)


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL divergence (B,) of N(mean, exp(log_variance)) (B, z) from the standard normal, in nats.

    Source: Kingma and Welling 2014 (arXiv 1312.6114), appendix B.
    """
    return 0.5 * (log_variance.exp() + mean.square() - 1.0 - log_variance).sum(-1)


def reconstruction_terms(scores: Tensor, allowed: Tensor, wanted: Tensor) -> Tensor:
    """Negative log-likelihood of the wanted items under a softmax over the core interests alone.

    Args:
        scores: (B, V).
        allowed: (B, V) bool, True for items of the sequence's core interests.
        wanted: (B, V) bool, True for items to be found; those that are not allowed do not count.

    Returns:
        (B,) mean over the wanted items, 0 where there is none.

    Source: METHODS 6; Liang et al. 2018 (arXiv 1802.05814) for the multinomial likelihood.
    """
    wanted = wanted & allowed
    lowest = torch.finfo(scores.dtype).min  # not -inf: a row without core interests would be NaN
    logs = scores.masked_fill(~allowed, lowest).log_softmax(-1)
    return -(logs.masked_fill(~wanted, 0.0)).sum(-1) / wanted.sum(-1).clamp_min(1)


def annealed(step: int, steps: int, peak: float) -> float:
    """Weight of the KL term: rises linearly from 0 to the peak over `steps` steps, and stays there."""
    return peak * min(1.0, step / steps) if steps > 0 else peak
