"""How is a vector pulled to its description, for the baselines that do that? InfoNCE and a distance.

Legend: N rows, d width.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def info_nce(queries: Tensor, keys: Tensor, temperature: float, same: Tensor | None = None) -> Tensor:
    """-log of the softmax weight of row i's own key among all keys, mean over rows.

    Args:
        queries: (N, d).
        keys: (N, d); key i belongs to query i.
        temperature: scores are cosines divided by it.
        same: (N, N) bool, True where key j says the same as key i (the same item twice): no negative.

    Returns:
        Scalar in nats; 0 for fewer than 2 rows.

    Source: van den Oord et al. 2018 (arXiv 1807.03748), equation 4, with cosines.
    """
    if len(queries) < 2:
        return queries.sum() * 0.0
    scores = F.normalize(queries, dim=-1) @ F.normalize(keys, dim=-1).T / temperature
    if same is not None:
        others = same & ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)
        scores = scores.masked_fill(others, torch.finfo(scores.dtype).min)
    return F.cross_entropy(scores, torch.arange(len(scores), device=scores.device))


def distance(students: Tensor, teachers: Tensor) -> Tensor:
    """Squared distance of (N, d) rows to fixed (N, d) rows, mean over all entries; the teachers get no gradient."""
    return F.mse_loss(students, teachers.detach())
