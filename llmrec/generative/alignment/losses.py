"""What pulls a user to the item that came next? Symmetric InfoNCE with hard negatives and false-negative masking.

Legend: B pairs of (user, next item), M hard negatives per user, d width. All vectors have length 1.
Source: METHODS 5; van den Oord et al. 2018 (arXiv 1807.03748) for InfoNCE.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

NEVER = -1e9


def symmetric_info_nce(
    users: Tensor,
    items: Tensor,
    temperature: Tensor | float,
    false_negatives: Tensor | None = None,
    hard: Tensor | None = None,
    hard_mask: Tensor | None = None,
) -> Tensor:
    """Mean of user -> item and item -> user cross-entropy.

    Args:
        users: (B, d).
        items: (B, d), row i is what user i chose next.
        temperature: of the cosines.
        false_negatives: (B, B) bool, True where item j must not count against user i (the same item, or one that the
            user has chosen as well); the diagonal is ignored.
        hard: (B, M, d) further negatives of each user; they join the first direction only.
        hard_mask: (B, M) bool, True where a hard negative is real.

    Returns:
        A scalar in nats.
    """
    logits = users @ items.T / temperature
    if false_negatives is not None:
        off = false_negatives & ~torch.eye(len(users), dtype=torch.bool, device=users.device)
        logits = logits.masked_fill(off, NEVER)
    forward = logits
    if hard is not None:
        extra = torch.einsum("bd,bmd->bm", users, hard) / temperature
        extra = extra if hard_mask is None else extra.masked_fill(~hard_mask, NEVER)
        forward = torch.cat([logits, extra], dim=1)
    truth = torch.arange(len(users), device=users.device)
    return 0.5 * (F.cross_entropy(forward, truth) + F.cross_entropy(logits.T, truth))


def false_negative_mask(targets: Tensor, histories: Tensor) -> Tensor:
    """Which in-batch items are no negatives of which users.

    Args:
        targets: (B,) next items.
        histories: (B, L) items that each user chose in training, -1 padded.

    Returns:
        (B, B) bool, True at (i, j) where item j is user i's own target or lies in user i's history.
    """
    items = int(max(targets.max(), histories.max())) + 1
    table = torch.zeros(
        len(targets), items + 1, dtype=torch.bool, device=targets.device
    )  # the last column takes padding
    table.scatter_(1, torch.where(histories < 0, items, histories), True)
    chosen: Tensor = table[:, targets]
    return (targets[:, None] == targets[None, :]) | chosen
