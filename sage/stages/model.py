"""How does a stage get its model, and what does it leave behind? Backbone, vocabulary, training rows, saved folder."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

from genrec.data.escape import escape_text
from genrec.llm.backbones import TinyConfig, load_backbone
from genrec.metrics.ranking import ndcg_at_k, ranks_from_lists, recall_at_k
from genrec.posttrain.callbacks import JsonlHistory, ThroughputCallback
from genrec.posttrain.validation import Scores, ValidationCallback, best_step, load_best, validation_history
from genrec.run import Session
from genrec.run.checkpoints import remove_checkpoints
from sage.items.rows import TASK
from sage.items.vocabularies import build_vocabulary, start_rows
from sage.model_card import write_model_card
from sage.recommend import SageRecommender
from sage.settings import JudgeArguments, SftArguments
from sage.stages.data import RunData

logger = logging.getLogger(__name__)
METRIC = "NDCG@10"
VALIDATION_SEED = 4151


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


def callbacks(session: Session, arguments: JudgeArguments, data: RunData, recommender: SageRecommender) -> list[Any]:
    """History file, speed and validation, in the order they must run."""
    validate = Validation(data, recommender, arguments)
    files = [ThroughputCallback(), JsonlHistory(session.folder / "log.jsonl")]
    return [*files, ValidationCallback(validate, METRIC, arguments.validate_every)]


class Validation:
    """NDCG@10 and Recall@10 on a fixed sample of validation users, and the training seconds so far.

    New items stay out of these lists: training may not know them, and no validation answer is one.

    Args:
        data: the split's validation part is asked.
        recommender: spelling and prompts; the model is given with each call.
        arguments: sample size and beams.
    """

    def __init__(self, data: RunData, recommender: SageRecommender, arguments: JudgeArguments) -> None:
        self.targets = data.cold.split.valid.sample(arguments.validation_users, VALIDATION_SEED)
        self.recommender, self.beams = recommender, arguments.validation_beams
        self.new_items = set(np.flatnonzero(~data.known).tolist())
        self.started, self.spent = -1.0, 0.0

    def __call__(self, model: Any) -> Scores:
        """Scores of a model."""
        began = time.perf_counter()
        self.started = began if self.started < 0 else self.started  # the first call comes before the first step
        r = self.recommender
        live = SageRecommender(model, r.tokenizer, r.names, r.catalogue, r.vectors, r.manifest)
        exclude = [self.new_items] * len(self.targets) if self.new_items else None
        items, _ = live.rank(self.targets.histories, 10, max(10, self.beams), exclude=exclude)
        ranks = ranks_from_lists(items, self.targets.targets)
        seconds = began - self.started - self.spent
        self.spent += time.perf_counter() - began
        return {METRIC: ndcg_at_k(ranks, 10), "Recall@10": recall_at_k(ranks, 10), "train_seconds": round(seconds, 1)}


def finish(session: Session, arguments: JudgeArguments, trainer: Any, recommender: SageRecommender) -> None:
    """Put the best weights back, save the folder and its card, remove checkpoints (main process)."""
    if not session.is_main:
        return
    model = trainer.accelerator.unwrap_model(trainer.model)
    load_best(model, session.folder)
    if hasattr(model, "peft_config"):
        model = model.merge_and_unload(safe_merge=True)
    recommender.model = model.eval()
    session.facts |= training_facts(session.folder, trainer)
    recommender.manifest |= {"stage": session.stage, **session.facts}
    recommender.save(session.folder)
    write_model_card(session.folder, recommender.manifest)
    if not arguments.keep_checkpoints:
        remove_checkpoints(session.folder)
        shutil.rmtree(session.folder / "best")


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
