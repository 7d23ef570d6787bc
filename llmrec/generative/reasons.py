"""What does the reasons recipe do, in order? Reasons, rows, fine-tuning, a saved head with its card."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from genrec.data import Dataset
from genrec.data.files import write_whole
from genrec.llm.backbones import TinyConfig, load_backbone
from genrec.posttrain.callbacks import JsonlHistory, ThroughputCallback
from genrec.run import Session
from genrec.run.checkpoints import remove_checkpoints
from llmrec.generative.alignment.heads import AlignmentHeads
from llmrec.generative.records import Records
from llmrec.generative.settings import ReasonsArguments
from llmrec.generative.writing.examples import (
    TRAIN,
    VALID,
    ReasonExample,
    candidates_of,
    read_reasons,
    retrieved_for,
    user_parts,
)
from llmrec.generative.writing.prompt import SYSTEM
from llmrec.generative.writing.rows import LIST_ONLY_REASON, RowMaker, vectors_of
from llmrec.generative.writing.trainer import ReasonTrainer
from llmrec.generative.writing.tuned import add_projector, save_head

logger = logging.getLogger(__name__)
SPLIT_SEED = 5


def fine_tune(session: Session, arguments: ReasonsArguments, config: Any, reasons: Path) -> None:
    """Train the head on the reasons of training users and save its best state on those of validation users.

    Args:
        session: the running stage.
        arguments: settings.
        config: SFTConfig.
        reasons: file of reasons.
    """
    a, align = arguments, session.folder.parent / "align"
    dataset, heads = Dataset.load(align / "data"), AlignmentHeads.load(align)
    examples = read_reasons(reasons, dataset, dataset.split())
    parts = user_parts(examples, a.held_out, SPLIT_SEED)
    train, valid = ([e for e, at in zip(examples, parts, strict=True) if at == part] for part in (TRAIN, VALID))
    records = Records(dataset.catalogue)
    model, tokenizer = _backbone(a, records, train, config.seed)
    if a.conditioning != "text":
        add_projector(model, tokenizer, heads.width, config.seed)
    maker = RowMaker(records, tokenizer, a.conditioning, a.max_history)
    rows, held_out = (head_rows(some, maker, heads, a, config.seed) for some in (train, valid))
    session.facts |= {
        "reasons": len(examples),
        "rows": len(rows),
        "validation_rows": len(held_out),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    config.output_dir = str(session.folder)
    config.eval_strategy, config.eval_steps, config.load_best_model_at_end = "steps", config.save_steps, True
    config.metric_for_best_model, config.greater_is_better = "eval_loss", False
    trainer = ReasonTrainer(
        model, config, rows, held_out, processing_class=tokenizer, peft_config=adapter(a),
        callbacks=[ThroughputCallback(), JsonlHistory(session.folder / "log.jsonl")],
    )  # fmt: skip
    trainer.train(resume_from_checkpoint=session.resume_from)
    if session.is_main:
        _finish(session, a, trainer, tokenizer)


def head_rows(
    examples: list[ReasonExample], maker: RowMaker, heads: AlignmentHeads, arguments: ReasonsArguments, seed: int
) -> Any:
    """Table of list questions with their answers; with vectors where the head is conditioned on them.

    One question in four shows the target alone: the head also learns to explain an item that it is given.
    """
    from datasets import Dataset as RowTable

    items, rows = heads.item_vectors(), []
    alone = np.random.default_rng(seed).random(len(examples)) < 0.25
    for example, retrieved, is_alone in zip(examples, retrieved_for(heads, examples), alone, strict=True):
        candidates = candidates_of(example, retrieved, 1 if is_alone else arguments.shown, seed)
        text = LIST_ONLY_REASON if arguments.list_only else example.reason
        row: dict[str, Any] = maker.row(maker.prompt(example.history, candidates), maker.answer(example.target, text))
        if maker.conditioning != "text":
            user = heads.encode([np.asarray(example.history, dtype=np.int64)])[0].numpy()
            row["vectors"] = vectors_of(user, items, candidates)
        rows.append(row)
    return RowTable.from_list(rows)


def _backbone(a: ReasonsArguments, records: Records, kept: list[ReasonExample], seed: int) -> tuple[Any, Any]:
    """The model; a tiny one's tokenizer is trained on catalogue, prompts and the training reasons."""
    corpus = [*records.catalogue.texts(), *(e.reason for e in kept), *[SYSTEM] * 20, *[_SHAPE] * 20]
    tiny = TinyConfig(a.hidden_size, a.num_layers, a.num_heads, 0, a.intermediate_size, a.vocab_size)
    return load_backbone(a.backbone, texts=corpus, tiny=tiny, seed=seed)


_SHAPE = (
    '{"items": [{"item_id": "1", "reason": "chosen before: genres year"}]} Recommend 1 of the items to choose from.'
)


def adapter(a: ReasonsArguments) -> Any:
    """LoRA on all linear layers, with the projector trained whole; None without LoRA.

    PEFT trains a copy of what it saves. Only the layers are copied, not the `VectorPrompt` around them: the hook on the
    embedding is bound to that one and reaches the copy through it.
    """
    if not a.use_lora:
        return None
    from peft import LoraConfig

    saved = None if a.conditioning == "text" else ["vector_prompt.project"]
    return LoraConfig(
        r=a.lora_rank, lora_alpha=a.lora_alpha, target_modules="all-linear", exclude_modules=r".*vector_prompt.*",
        modules_to_save=saved, task_type="CAUSAL_LM",
    )  # fmt: skip


def _finish(session: Session, a: ReasonsArguments, trainer: Any, tokenizer: Any) -> None:
    """Merge, save, write the card, remove checkpoints."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "peft_config"):
        model = model.merge_and_unload(safe_merge=True)
    manifest = {
        name: getattr(a, name) for name in ("conditioning", "max_history", "shown", "held_out", "list_only", "backbone")
    }
    session.facts |= {"steps": int(trainer.state.global_step), "best_validation_loss": trainer.state.best_metric}
    save_head(session.folder, model.eval(), tokenizer, manifest)
    write_whole(session.folder / "README.md", card(manifest))
    remove_checkpoints(session.folder)


def card(manifest: dict[str, Any]) -> str:
    """Model card of a head."""
    facts = "\n".join(f"| {name} | {value} |" for name, value in manifest.items())
    front = "library_name: transformers\npipeline_tag: text-generation\ntags: [recommendation, explanation, llmrec]"
    return (
        f"---\n{front}\n---\n\n# LLMRec's generative head\n\nChooses one of a few retrieved items and writes a reason, "
        "as JSON. Open it with `llmrec.generative.writing.tuned.load_head`\nand check every reason with "
        f"`GroundingChecker` before anybody sees it: the head invents.\n\n| setting | value |\n|---|---|\n{facts}\n"
    )
