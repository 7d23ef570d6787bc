"""Which loss does a configuration mean? States and item vectors in, one scalar out; negatives are drawn here.

Legend: N positions, V items, d width, K negatives. Random numbers come from torch's global generator, which the
training loop seeds per step and process, so a resumed run draws the same negatives.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genrec.backbones.catalogue_loss import catalogue_cross_entropy
from genrec.backbones.config import SequenceConfig
from genrec.backbones.gathered import gathered_scores
from genrec.backbones.losses import bce_loss, gbce_beta, gbce_loss, sampled_softmax_loss


def next_item_loss(hidden: Tensor, items: Tensor, targets: Tensor, config: SequenceConfig) -> Tensor:
    """Mean loss of targets after states, by `config.loss`.

    Args:
        hidden: (N, d) states.
        items: (V, d) item vectors.
        targets: (N,) true items.
        config: names the loss and the number of negatives.

    Returns:
        Scalar in nats.

    Raises:
        ValueError: a sampled loss over a catalogue of one item.
    """
    if config.loss == "ce":
        with torch.autocast(hidden.device.type, enabled=False):
            return catalogue_cross_entropy(hidden.float(), items.float(), targets)
    positive = (hidden * items[targets]).sum(-1)
    if config.loss == "sampled_softmax":
        return sampled_softmax_loss(positive, _shared_scores(hidden, items, targets, config), len(items))
    drawn = uniform_negatives(targets, len(items), config.num_negatives)
    negative = gathered_scores(hidden, items, drawn)
    if config.loss == "bce":
        return bce_loss(positive, negative)
    return gbce_loss(positive, negative, gbce_beta(config.num_negatives, len(items), config.gbce_t))


def uniform_negatives(targets: Tensor, num_items: int, count: int) -> Tensor:
    """Items drawn uniformly among all but the target.

    Args:
        targets: (N,) true items.
        num_items: V, at least 2.
        count: K.

    Returns:
        (N, K) items; a row never holds its target, but may hold an item twice.

    Raises:
        ValueError: a catalogue of one item has no negatives.
    """
    if num_items < 2:
        raise ValueError(f"negatives need a catalogue of at least 2 items, got {num_items}; use loss 'ce'")
    drawn = torch.randint(num_items - 1, (len(targets), count), device=targets.device)
    return drawn + (drawn >= targets[:, None])


def _shared_scores(hidden: Tensor, items: Tensor, targets: Tensor, config: SequenceConfig) -> Tensor:
    """Scores (N, K) of K items shared by all positions of the step: one product instead of N * K rows."""
    drawn = torch.randint(len(items), (config.num_negatives,), device=targets.device)
    return (hidden @ items[drawn].T).masked_fill(drawn[None, :] == targets[:, None], float("-inf"))
