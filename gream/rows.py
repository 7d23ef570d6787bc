"""Which rows does each training stage see, and what will they cost?"""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial
from typing import Any

import numpy as np

from genrec.posttrain.soft_labels import SoftLabels
from genrec.run.estimate import Estimate, estimate, memory_gib
from gream.alignment import AlignmentConfig, build_alignment_rows
from gream.alignment.counts import packing_counts, row_counts
from gream.curriculum import CurriculumSampler, build_reasoning_rows, join_rows
from gream.prompts import TASKS
from gream.prompts.wordings import SEQUENTIAL
from gream.recommend import GreamRecommender
from gream.settings import ReasonArguments, SrpoArguments, SupervisedArguments
from gream.training import StageModel
from gream.workspace import training_pairs

logger = logging.getLogger(__name__)
Pair = tuple[list[int], int]  # history and next item


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
    """The teacher's share in the labels, None where `teacher_share` is 0.

    Raises:
        ValueError: items of different numbers of tokens, over which a mixture has no levels.
    """
    a, sid = stage.arguments, stage.formatter.sid_ids
    assert isinstance(a, SupervisedArguments)
    if not a.teacher_share or stage.teacher is None:
        return None
    tokens = [sid(item) for item in range(stage.workspace.dataset.num_items)]
    if len(lengths := {len(ids) for ids in tokens}) > 1:
        raise ValueError(
            f"items have {sorted(lengths)} tokens; teacher_share needs an index of one length (collisions: reassign, "
            "no variable budget), or set teacher_share: 0"
        )
    return SoftLabels(partial(stage.teacher.mixture, share=a.teacher_share), np.array(tokens))


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


def estimate_rows(stage: StageModel, visits: float, rows: Any) -> Estimate:
    """Cost of supervised training.

    Args:
        stage: the stage.
        visits: rows seen in all epochs; `max_steps` overrides it.
        rows: the table.
    """
    config, lengths = stage.config, [len(ids) for ids in rows["input_ids"]]
    if config.max_steps > 0:  # overrides the epochs
        batch = config.per_device_train_batch_size * config.gradient_accumulation_steps * config.world_size
        visits = config.max_steps * batch
    tokens = int(visits * float(np.mean(lengths)))
    return _estimate(stage, tokens, 0, config.per_device_train_batch_size, int(np.percentile(lengths, 99)))


def estimate_rollouts(stage: StageModel, rows: Any) -> Estimate:
    """Cost of SRPO: generation, reference and policy passes, resampling rounds not counted."""
    config = stage.config
    prompt = float(np.mean([len(ids) for ids in stage.parts.tokenizer(rows["prompt"][:256])["input_ids"]]))
    completions = config.max_steps * config.per_device_train_batch_size * config.gradient_accumulation_steps
    if config.max_steps < 0:
        completions = int(len(rows) * config.num_generations * config.num_train_epochs)
    generated = completions * config.max_completion_length
    scored = int(completions * (prompt + config.max_completion_length))
    length = int(prompt) + config.max_completion_length
    return _estimate(stage, scored, generated + scored, config.per_device_train_batch_size, length)


def _estimate(stage: StageModel, tokens: int, generated: int, rows: int, length: int) -> Estimate:
    """Put the model's shape in."""
    model = stage.parts.model
    size = sum(p.numel() for p in model.parameters())
    trainable = size // 20 if stage.arguments.use_lora else size
    shape = model.config
    memory = memory_gib(
        size,
        trainable,
        rows,
        length,
        model.get_input_embeddings().weight.shape[0],
        shape.hidden_size,
        shape.num_hidden_layers,
    )
    return estimate(size, tokens, generated, memory)
