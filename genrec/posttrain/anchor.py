"""How does RL keep what supervised training taught? A supervised batch beside every batch of rollouts.

Two targets: the rows' own tokens, or what the model said of them before RL. A few rows of cross-entropy have a noisy
gradient even where nothing is forgotten; the divergence from the start has none there.

Legend: B rows of one pass on one process, T tokens, K tokens that are scored, V vocabulary.
Sources: Ouyang et al. 2022 (PPO-ptx), where pretraining gradients are mixed into RL, here those of direct
recommendation, which the rewards of reasoning never look at; Li and Hoiem 2016 (learning without forgetting).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from genrec.posttrain.rows import IGNORED, RecCollator, labelled_rows


class AnchorRows:
    """Supervised rows, a fresh batch for every pass.

    Args:
        rows: table with `input_ids` and `completion_mask`.
        batch_size: B.
        pad_token_id: fills short rows.
        seed: of the choice.
    """

    def __init__(self, rows: Any, batch_size: int, pad_token_id: int, seed: int) -> None:
        self.table = labelled_rows(rows)
        self.batch_size, self.seed = min(batch_size, len(self.table)), seed
        self.collate = RecCollator(pad_token_id)

    def batch(self, number: int, rank: int, device: torch.device | str) -> dict[str, torch.Tensor]:
        """The batch of a pass, a pure function of where the run stands.

        Args:
            number: forward-backward passes before this one, the same after a resume.
            rank: process index.
            device: where the tensors go.

        Returns:
            `input_ids`, `attention_mask` and `labels`, each (B, T).
        """
        generator = np.random.default_rng([self.seed, 17, number, rank])
        chosen = generator.choice(len(self.table), self.batch_size, replace=False)
        batch = self.collate([self.table[int(row)] for row in chosen])
        return {name: tensor.to(device) for name, tensor in batch.items()}


def divergence(policy: Any, reference: Any, batch: dict[str, Tensor]) -> Tensor:
    """Mean KL(reference || policy) of the next token where a batch has labels, in nats.

    Args:
        policy: causal LM; the gradient flows into it.
        reference: function of `input_ids`, `attention_mask` and `logits_to_keep` with the logits of the start.
        batch: `input_ids`, `attention_mask`, `labels`, each (B, T), with at least one label.

    Returns:
        Scalar, at least 0.
    """
    asked = batch["labels"][:, 1:] != IGNORED
    kept = asked.any(dim=0).nonzero()[:, 0]  # (K,) places that some row is asked at
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        wanted = functional.log_softmax(reference(**inputs, logits_to_keep=kept)[asked[:, kept]].float(), dim=-1)
    logits = policy(**inputs, logits_to_keep=kept).logits[asked[:, kept]].float()
    found = functional.log_softmax(logits, dim=-1)
    return functional.kl_div(found, wanted, reduction="batchmean", log_target=True)
