"""Which rows do alignment and curriculum see, and what may stand in their labels?"""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial
from typing import Any

import numpy as np

from genrec.posttrain.soft_labels import SoftLabels, pad_right
from gream.alignment import AlignmentConfig, build_alignment_rows
from gream.alignment.counts import packing_counts, row_counts
from gream.curriculum import CurriculumSampler, build_reasoning_rows, join_rows
from gream.prompts import TASKS
from gream.prompts.wordings import SEQUENTIAL
from gream.settings import ReasonArguments, SupervisedArguments
from gream.training import StageModel

logger = logging.getLogger(__name__)


def alignment_rows(stage: StageModel) -> Any:
    """Token rows of D_align (see `gream.alignment`); their counts go into the log and into stage.json."""
    a, w, seed = stage.arguments, stage.workspace, stage.config.seed
    assert isinstance(a, SupervisedArguments)
    weights = {task: float(a.text_repeats) for task in TASKS} | {SEQUENTIAL: float(a.history_repeats)}
    shares = {name: getattr(a, name) for name in ("swap_share", "teacher_share", "drop_share")}
    config = AlignmentConfig(packed=a.packed, overlap=a.overlap, weights=weights, seed=seed, **shares)
    teacher = stage.teacher
    rows = build_alignment_rows(w.split, w.dataset, stage.formatter, w.chains, config=config, teacher=teacher)
    rows = _sample(rows, a.align_rows, seed)
    stage.session.facts["rows"] = counts = row_counts(rows)
    stage.session.facts["packing"] = packing = packing_counts(
        [len(history) for history in w.split.train],
        max_history=stage.parts.prompt_config.max_history,
        overlap=a.overlap,
        sid_length=w.codes.nominal_levels,
    )
    logger.info("rows, tokens and targets per task: %s", counts)
    logger.info("packed histories need %.3f of the tokens of expanded ones: %s", packing["ratio"], packing)
    return rows


def soft_labels(stage: StageModel) -> SoftLabels | None:
    """The teacher's share in the labels, None where `teacher_share` is 0."""
    a, sid = stage.arguments, stage.formatter.sid_ids
    assert isinstance(a, SupervisedArguments)
    if not a.teacher_share or stage.teacher is None:
        return None
    tokens = [sid(item) for item in range(stage.workspace.dataset.num_items)]
    table = pad_right(tokens, max(map(len, tokens)))
    return SoftLabels(partial(stage.teacher.mixture, share=a.teacher_share), table)


def _sample(rows: Any, size: int, seed: int) -> Any:
    """A seeded sample of rows in their order; -1 keeps all."""
    if size < 0 or size >= len(rows):
        return rows
    return rows.select(np.sort(np.random.default_rng(seed).choice(len(rows), size, replace=False)))


def curriculum_rows(stage: StageModel) -> tuple[Any, CurriculumSampler]:
    """Table [alignment rows; reasoning rows] and the order in which the curriculum shows them.

    Raises:
        ValueError: when there are no chains.
    """
    a, w, seed = stage.arguments, stage.workspace, stage.config.seed
    assert isinstance(a, ReasonArguments)
    if not stage.workspace.chains:
        raise ValueError(f"no chains in '{stage.workspace.chains_path}'; run recipes/gream_cot.py")
    stage.session.facts["chains"] = dict(Counter(chain.teacher for chain in w.chains))
    align = alignment_rows(stage)
    limit = stage.config.max_length
    reason = build_reasoning_rows(w.chains, w.split, w.dataset, stage.formatter, max_length=limit, seed=seed)
    table = join_rows(align, reason)
    config = stage.config
    batch = config.per_device_train_batch_size * config.gradient_accumulation_steps * config.world_size
    sampler = CurriculumSampler(
        len(align),
        len(reason),
        batch,
        epochs=a.epochs,
        gamma=a.gamma,
        seed=config.seed,
        schedule=a.schedule,  # type: ignore[arg-type]  # checked by the sampler, with the choices in its message
        lengths=[len(ids) for ids in table["input_ids"]],
    )
    return table, sampler
