"""What happens in each stage, in order? The work of recipes/sage_sft.py and recipes/sage_rl.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genrec.data.split import Split
from genrec.run import Session
from genrec.run.arguments import settings_of
from genrec.run.estimate import Estimate, estimate
from sage.items.rows import training_rows
from sage.recommend import SageRecommender
from sage.rl.config import SageRLConfig
from sage.settings import RLArguments, SftArguments
from sage.stages.data import RunData, prepare, reopen
from sage.stages.judge import Judge
from sage.stages.model import finish, new_recommender, peft_config, tidy, trained
from sage.stages.validation import callbacks

ROW_FACTS = ("vocabulary_seconds", "index_seconds", "train_seconds", "steps", "chosen_step", "clip_ratio")
SYSTEMS = {
    "native": "SAGE",
    "rq_index": "generator over an RQ index (GRN type)",
    "atomic": "LLM with a token per item (GenLLMRec type)",
}


def train_sft(session: Session, arguments: SftArguments, config: Any) -> tuple[RunData, SageRecommender]:
    """Data, vocabulary, supervised training, saved folder."""
    from sage.sft.trainer import SageSFTTrainer

    if (kept := trained(session)) is not None:
        return reopen(session.folder), kept
    data = prepare(arguments, session.folder, session.is_main)
    recommender = new_recommender(data, arguments, config.seed)
    rows = training_rows(data.cold.split.train, recommender.speller, arguments.overlap)
    tokens = int(data.facts["new_tokens"])
    added = list(range(len(recommender.tokenizer) - tokens, len(recommender.tokenizer)))
    session.facts |= {**data.facts, "rows": len(rows)}
    config.output_dir = str(session.folder)
    trainer = SageSFTTrainer(
        recommender.model,
        config,
        rows,
        names=recommender.names,
        known=data.known,
        vectors=data.vectors,
        diversity=arguments.lists(),
        gradient=arguments.gradient(),
        processing_class=recommender.tokenizer,
        dropout=arguments.dropout,
        peft_config=peft_config(recommender.model, arguments, added),
        callbacks=callbacks(session, arguments, data, recommender),
    )
    trainer.train(resume_from_checkpoint=session.resume_from)
    finish(session, trainer, recommender)
    return data, recommender


def judge_sft(
    session: Session, arguments: SftArguments, config: Any, data: RunData, recommender: SageRecommender
) -> Path:
    """All scenes; returns report.html."""
    judge = Judge(session, arguments, data, config.seed)
    rows = judge.baseline_rows() if arguments.baselines else []
    return _judged(judge, rows, SYSTEMS[arguments.vocabulary], recommender, settings_of(arguments, config))


def train_rl(session: Session, arguments: RLArguments, config: SageRLConfig) -> tuple[RunData, SageRecommender]:
    """The policy starts from the sft folder, which is the KL reference too."""
    from sage.rl.trainer import SageRLTrainer, clipped_share, rollout_rows

    folder = session.folder.parent / "sft"
    data = reopen(folder)
    if (kept := trained(session)) is not None:
        return data, kept
    recommender = SageRecommender.from_pretrained(folder)
    pairs = training_pairs(data.cold.split, arguments.max_prompts, config.seed)
    config.output_dir = str(session.folder)
    trainer = SageRLTrainer(
        recommender.model,
        config,
        rollout_rows(pairs, recommender.speller),
        recommender.tokenizer,
        speller=recommender.speller,
        known=data.known,
        vectors=data.vectors,
        counts=data.counts,
        peft_config=peft_config(recommender.model, arguments, []),
        callbacks=callbacks(session, arguments, data, recommender),
    )
    trainer.train(resume_from_checkpoint=session.resume_from)
    session.facts["clip_ratio"] = clipped_share(trainer.state.log_history)
    finish(session, trainer, recommender)
    return data, recommender


def judge_rl(
    session: Session, arguments: RLArguments, config: SageRLConfig, data: RunData, recommender: SageRecommender
) -> Path:
    """All scenes, beside the rows of the sft stage; returns report.html."""
    judge = Judge(session, arguments, data, config.seed)
    system = SYSTEMS[str(recommender.manifest["vocabulary"])]
    return _judged(judge, [], system, recommender, settings_of(arguments, config))


def training_pairs(split: Split, size: int, seed: int) -> list[tuple[list[int], int]]:
    """(history, next item) pairs of the training part, drawn at random; -1 = all, in random order."""
    ends = [(user, t) for user, items in enumerate(split.train) for t in range(1, len(items))]
    order = np.random.default_rng(seed).permutation(len(ends))[: None if size < 0 else size]
    return [(split.train[u][:t].tolist(), int(split.train[u][t])) for u, t in (ends[i] for i in order)]


def estimate_sft(arguments: SftArguments, config: Any, session: Session) -> Estimate:
    """Cost of supervised training, the lists of the regulariser included."""
    data = prepare(arguments, session.folder, is_main=False)
    recommender = new_recommender(data, arguments, config.seed)
    rows = training_rows(data.cold.split.train, recommender.speller, arguments.overlap)
    tokens = int(np.mean([len(ids) for ids in rows["input_ids"]]))
    batch = config.per_device_train_batch_size * config.gradient_accumulation_steps
    steps = config.max_steps if config.max_steps > 0 else int(config.num_train_epochs * len(rows) / batch)
    lists = arguments.list_size * arguments.list_prompts / arguments.list_every if arguments.lists() else 0
    size = sum(p.numel() for p in recommender.model.parameters())
    return estimate(size, int(steps * tokens * (batch + lists)), 0, 1.0 + 16 * size / 2**30)


def estimate_rl(arguments: RLArguments, config: SageRLConfig) -> Estimate:
    """Cost of the rollouts and of training on them."""
    recommender = SageRecommender.from_pretrained(Path(arguments.run_dir) / "sft")
    prompt = 10 * recommender.speller.max_history
    completions = config.max_steps * config.per_device_train_batch_size * config.gradient_accumulation_steps
    size = sum(p.numel() for p in recommender.model.parameters())
    return estimate(size, completions * prompt, completions * (prompt + 10), 1.0 + 16 * size / 2**30)


def _judged(
    judge: Judge, rows: list[Any], system: str, recommender: SageRecommender, settings: Mapping[str, Any]
) -> Path:
    """Rows of the generator behind those of the baselines, the protocol, the report."""
    own = judge.generator_rows(system, recommender)
    facts = judge.session.facts
    own[-1] |= {name: facts[name] for name in ROW_FACTS if name in facts}
    protocol = {
        "max_history": recommender.speller.max_history,
        "num_beams": judge.arguments.num_beams,
        "loss": "cross-entropy on item names, weighted by history length, and the mutual information of lists"
        if judge.session.stage == "sft"
        else "sequence-level policy optimisation over hit, diversity and cold",
        "backbone": f"{recommender.manifest['backbone']}, {facts['parameters'] / 1e6:.1f} M parameters",
        "model choice": "best NDCG@10 on validation users; test users are read only in the end",
    }
    page = judge.report([*rows, *own], protocol, settings)
    if not judge.arguments.keep_checkpoints:
        tidy(judge.session.folder)
    return page
