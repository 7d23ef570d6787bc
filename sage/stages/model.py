"""How does a stage get its model, and what does it leave behind? Backbone, vocabulary, training rows, saved folder."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from genrec.data.escape import escape_text
from genrec.data.files import read_json, write_json
from genrec.llm.backbones import TinyConfig, load_backbone
from genrec.posttrain.validation import best_step, load_best, validation_history
from genrec.run import Session
from genrec.run.checkpoints import remove_checkpoints
from sage.items.rows import TASK
from sage.items.vocabularies import build_vocabulary, start_rows
from sage.model_card import write_model_card
from sage.recommend import MANIFEST, SageRecommender
from sage.settings import JudgeArguments, SftArguments
from sage.stages.data import RunData
from sage.stages.judge import BASELINES
from sage.stages.validation import METRIC

logger = logging.getLogger(__name__)
FACTS = "training.json"


def new_recommender(data: RunData, arguments: SftArguments, seed: int) -> SageRecommender:
    """The untrained recommender: model, tokenizer, vocabulary.

    A `tiny` model's tokenizer is trained on the texts of known items only.

    Args:
        data: dataset, split and vectors.
        arguments: settings of the sft stage.
        seed: of the weights, the rows of new tokens and the clustering: runs of other seeds share the split alone.
    """
    a, catalogue = arguments, data.dataset.catalogue
    known = np.flatnonzero(data.known)
    titles = [escape_text(catalogue.titles[i]) for i in known]
    corpus = [*titles, *[catalogue.text(int(i)) for i in known], TASK]
    tiny = TinyConfig(a.hidden_size, a.num_layers, a.num_heads, 0, a.intermediate_size, a.vocab_size)
    model, tokenizer = load_backbone(a.backbone, texts=corpus, tiny=tiny, seed=seed)
    built = build_vocabulary(
        a.vocabulary, catalogue.titles, tokenizer, data.known, data.vectors,
        num_levels=a.num_levels, codebook_size=a.codebook_size, seed=seed,
    )  # fmt: skip
    start_rows(model, tokenizer, built, data.vectors[known], seed)
    data.facts |= vocabulary_times(data, arguments, built.seconds, built.new_tokens, seed)
    manifest = {
        "format": "sage/1",
        "vocabulary": a.vocabulary,
        "max_history": a.max_history,
        "encoder": data.encoder,
        "dataset": data.dataset.name,
        "backbone": a.backbone,
        "new_items": np.flatnonzero(~data.known).tolist(),
    }
    return SageRecommender(model, tokenizer, built.names, catalogue, data.vectors, manifest)


def vocabulary_times(
    data: RunData, arguments: SftArguments, seconds: float, new_tokens: int, seed: int
) -> dict[str, Any]:
    """Time to build the vocabulary and, beside it, the time an RQ index takes: text vectors and clustering.

    Args:
        data: dataset, split and vectors.
        arguments: settings.
        seconds: that the vocabulary took.
        new_tokens: tokens it added.
        seed: of the clustering.
    """
    needs_vectors = arguments.vocabulary == "rq_index"
    own = seconds + (data.facts["encode_seconds"] if needs_vectors else 0.0)
    times = {"vocabulary_seconds": round(own, 3), "new_tokens": new_tokens}
    if needs_vectors or not arguments.time_index:
        return times
    from transformers import PreTrainedTokenizerFast

    from genrec.llm.compact_tokenizer import train_compact_tokenizer

    scratch: PreTrainedTokenizerFast = train_compact_tokenizer(["scratch"], 259)
    size = min(arguments.codebook_size, max(2, int(data.known.sum()) // 4))
    index = build_vocabulary(
        "rq_index", data.dataset.catalogue.titles, scratch, data.known, data.vectors,
        num_levels=arguments.num_levels, codebook_size=size, seed=seed,
    )  # fmt: skip
    whole = index.seconds + data.facts["encode_seconds"]
    return times | {"index_seconds": round(whole, 3), "vocabulary_share": round(own / max(whole, 1e-9), 4)}


def finish(session: Session, trainer: Any, recommender: SageRecommender) -> None:
    """Put the best weights back, save the card and the folder (main process).

    What was learnt about the training goes into training.json first and sage.json comes last, so a folder with the
    latter is a finished training: see `trained`.
    """
    if not session.is_main:
        return
    model = trainer.accelerator.unwrap_model(trainer.model)
    load_best(model, session.folder)
    if hasattr(model, "peft_config"):
        model = model.merge_and_unload(safe_merge=True)
    recommender.model = model.eval()
    session.facts |= training_facts(session.folder, trainer)
    write_json(session.folder / FACTS, session.facts)
    recommender.manifest |= {"stage": session.stage, **session.facts}
    write_model_card(session.folder, recommender.manifest)
    recommender.save(session.folder)


def trained(session: Session) -> SageRecommender | None:
    """The recommender of an attempt that was killed after its training, while it judged; None where there is none."""
    if not (session.folder / MANIFEST).is_file():
        return None
    logger.info("%s: training has finished in %s; going on with judging", session.stage, session.folder)
    session.facts |= read_json(session.folder / FACTS)
    return SageRecommender.from_pretrained(session.folder)


def tidy(folder: Path) -> None:
    """Remove what only a killed stage needs again: checkpoints, best weights, states of the baselines' fits."""
    remove_checkpoints(folder)
    for name in ("best", BASELINES):
        shutil.rmtree(folder / name, ignore_errors=True)


def training_facts(folder: Path, trainer: Any) -> dict[str, Any]:
    """Validation before and after, the chosen step, steps, size and training seconds."""
    rows = validation_history(folder)
    chosen = best_step(folder, METRIC)
    return {
        "metric": METRIC,
        "before": rows[0][METRIC],
        "after": next(row[METRIC] for row in rows if row["step"] == chosen),
        "chosen_step": chosen,
        "steps": int(trainer.state.global_step),
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "train_seconds": rows[-1]["train_seconds"],
    }


def peft_config(model: Any, arguments: JudgeArguments, new_tokens: list[int]) -> Any:
    """LoRA on all linear layers, with trainable rows for new tokens where there are any; None for full training."""
    if not arguments.use_lora:
        return None
    if new_tokens:
        from genrec.posttrain.lora import lora_config

        return lora_config(model, new_tokens, rank=arguments.lora_rank, alpha=arguments.lora_alpha)
    from peft import LoraConfig

    return LoraConfig(
        r=arguments.lora_rank, lora_alpha=arguments.lora_alpha, target_modules="all-linear", task_type="CAUSAL_LM"
    )
