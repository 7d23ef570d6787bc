"""What does the policy do in its groups? Numbers logged at every SRPO step.

Legend: N completions of all processes, P groups of G completions, N = P * G.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from hashlib import blake2b

import torch

from gream.srpo.rewards import Outcome

logger = logging.getLogger(__name__)

Facts = dict[str, torch.Tensor]


def item_key(codes: Sequence[int] | None) -> float:
    """Number that names an answered SID, -1 without an answer.

    Args:
        codes: answered codes or None.

    Returns:
        A 48-bit digest, exact in float64, so that answers can be compared after a gather over processes.
    """
    if codes is None:
        return -1.0
    return float(int.from_bytes(blake2b(repr(tuple(codes)).encode(), digest_size=6).digest(), "big"))


def outcome_facts(outcomes: Sequence[Outcome]) -> Facts:
    """Turn n outcomes into columns that can be gathered.

    Args:
        outcomes: n judged completions.

    Returns:
        float64 columns (n,): `hit` and `format_ok` (0 or 1), `prefix_length` (codes), `item` (see
        `item_key`).
    """
    rows = [(o.hit, o.format_ok, o.prefix_length, item_key(o.codes)) for o in outcomes]
    table = torch.tensor(rows, dtype=torch.float64).view(len(rows), 4)
    return dict(zip(("hit", "format_ok", "prefix_length", "item"), table.unbind(dim=1), strict=True))


def answer_metrics(facts: Facts, group_size: int) -> dict[str, float]:
    """Rates and means over a batch of groups.

    Args:
        facts: columns (N,) of `outcome_facts`, groups contiguous.
        group_size: G.

    Returns:
        `hit_rate`, `format_rate` (shares), `prefix_length` (codes), `distinct_items` (answered SIDs per
        group) and
        `hits_per_group/c`, the share of groups with exactly c hits, c = 0 ... G.
    """
    hits = facts["hit"].view(-1, group_size)
    counts = torch.bincount(hits.sum(dim=1).long(), minlength=group_size + 1).double() / hits.shape[0]
    distinct = [len(set(group.tolist()) - {-1.0}) for group in facts["item"].view(-1, group_size)]
    return {
        "hit_rate": float(facts["hit"].mean()),
        "format_rate": float(facts["format_ok"].mean()),
        "prefix_length": float(facts["prefix_length"].mean()),
        "distinct_items": sum(distinct) / len(distinct),
        **{f"hits_per_group/{c}": float(share) for c, share in enumerate(counts)},
    }


class ZeroVarianceWatch:
    """Warns when most groups teach nothing for many steps in a row.

    Args:
        threshold: share of groups above which a step is a bad one.
        patience: number of bad steps in a row before the warning.
    """

    def __init__(self, threshold: float = 0.8, patience: int = 20) -> None:
        self.threshold = threshold
        self.patience = patience
        self.bad_steps = 0

    def update(self, share: float) -> bool:
        """Count one step and warn when patience runs out, then every `patience` bad steps again.

        Args:
            share: share of groups without reward variance, before resampling.

        Returns:
            True when this step warned.
        """
        self.bad_steps = self.bad_steps + 1 if share > self.threshold else 0
        warned = self.bad_steps > 0 and self.bad_steps % self.patience == 0
        if warned:
            logger.warning(
                "more than %.0f %% of the groups had no reward variance for %d steps (now %.0f %%): almost "
                "no signal. Train the earlier stages longer, sample more completions per prompt or use a "
                "smaller reward_exponent.",
                100 * self.threshold,
                self.bad_steps,
                100 * share,
            )
        return warned
