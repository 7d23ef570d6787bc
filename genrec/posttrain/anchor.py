"""How does RL keep what supervised training taught? A supervised batch beside every batch of rollouts.

Legend: B rows of one pass on one process.
Source: Ouyang et al. 2022 (PPO-ptx), where pretraining gradients are mixed into RL; here it is direct recommendation,
which the rewards of reasoning never look at.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from genrec.posttrain.rows import RecCollator, labelled_rows


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
