"""How much do the items of a list say about each other? A differentiable mutual information, as pure functions.

Legend: B lists, K items per list, d width. Two items with cosine c are read as Gaussians with correlation c, whose
mutual information is -1/2 log(1 - c^2) nats. A list is the model's own: `scores` are log-probabilities of its items.
Source: METHODS 4 (mutual-information regulariser on the generated list); the Gaussian reading is ours, because a closed
form per pair is exact, cheap and zero for unrelated items.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

CEILING = 0.99  # equal items would inform infinitely: 1.96 nats at most


def pair_information(vectors: Tensor) -> Tensor:
    """Mutual information of every pair of listed items.

    Args:
        vectors: (B, K, d), any scale; opposite items (negative cosine) count as unrelated.

    Returns:
        (B, K, K) in nats, 0 on the diagonal.
    """
    unit = F.normalize(vectors.float(), dim=-1)
    cosine = (unit @ unit.transpose(-1, -2)).clamp(0.0, CEILING)
    information = -0.5 * torch.log1p(-cosine.square())
    return information * (1 - torch.eye(vectors.shape[-2], device=vectors.device))


def list_information(scores: Tensor, information: Tensor) -> Tensor:
    """Expected mutual information of two different items drawn from the list as the model weighs it.

    Args:
        scores: (B, K) log-probabilities of the listed items, -inf where a list is shorter; gradient flows here.
        information: (B, K, K) of `pair_information`.

    Returns:
        (B,) in nats: sum over pairs of p_i p_j I_ij over that of p_i p_j, with p = softmax(scores). A list of one item
        gives 0.
    """
    weight = scores.softmax(dim=-1)
    pairs = weight[..., :, None] * weight[..., None, :]
    pairs = pairs * (1 - torch.eye(scores.shape[-1], device=scores.device))
    return (pairs * information).sum((-1, -2)) / pairs.sum((-1, -2)).clamp_min(1e-12)
