"""Which prompts does the RL stage see, and what anchors it?"""

from __future__ import annotations

import logging
from typing import Any

from gream.alignment import AlignmentConfig, build_alignment_rows
from gream.prompts.wordings import SEQUENTIAL
from gream.recommend import GreamRecommender
from gream.settings import SrpoArguments
from gream.training import StageModel
from gream.workspace import training_pairs

logger = logging.getLogger(__name__)
Pair = tuple[list[int], int]  # history and next item


def rollout_rows(stage: StageModel) -> Any:
    """Prompts of the RL stage with the codes of the true next item; training interactions only."""
    from datasets import Dataset as RowTable

    a, formatter, codes = stage.arguments, stage.formatter, stage.parts.item_codes
    assert isinstance(a, SrpoArguments)
    pairs = training_pairs(stage.workspace.split, a.max_prompts, stage.config.seed)
    if a.reachable:
        pairs = reachable_pairs(stage, pairs, a.reachable)
    return RowTable.from_dict(
        {
            "prompt": [formatter.reasoning_prompt(history) for history, _ in pairs],
            "target": [codes.codes[t][: codes.lengths[t]].tolist() for _, t in pairs],
        }
    )


def reachable_pairs(stage: StageModel, pairs: list[Pair], width: int) -> list[Pair]:
    """Pairs whose target direct mode finds: an offline filter by difficulty, on training interactions only.

    Args:
        stage: the stage, with the model it starts from.
        pairs: (history, next item).
        width: how far down the list a target may stand.

    Raises:
        ValueError: no pair is left.

    Source: ours; what DAPO's dynamic sampling does by throwing rollouts away, done once by beam search.
    """
    recommender = GreamRecommender(stage.parts)
    items, _ = recommender.rank_direct([history for history, _ in pairs], k=width, num_beams=max(width, 10))
    kept = [pair for pair, found in zip(pairs, items, strict=True) if pair[1] in found]
    stage.session.facts["prompts"] = {"drawn": len(pairs), "reachable": len(kept), "within": width}
    logger.info("%d of %d prompts have their next item among the first %d of direct mode", len(kept), len(pairs), width)
    if not kept:
        raise ValueError(
            f"no next item of {len(pairs)} prompts is among the first {width}; raise reachable or align longer"
        )
    return kept


def anchor_rows(stage: StageModel) -> Any:
    """Packed histories as supervised rows beside the rollouts, None where `anchor_weight` is 0."""
    if not stage.config.anchor_weight:
        return None
    config = AlignmentConfig(tasks=(SEQUENTIAL,), seed=stage.config.seed)
    return build_alignment_rows(stage.workspace.split, stage.workspace.dataset, stage.formatter, config=config)
