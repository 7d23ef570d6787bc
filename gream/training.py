"""What do alignment, curriculum and SRPO do alike? Load, validate, keep the best weights, save.

Every training stage ends as a recommender folder: plain weights (an adapter is merged), tokenizer, index, catalogue and
prompts, with a model card beside them.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from genrec.posttrain.callbacks import JsonlHistory, ThroughputCallback
from genrec.posttrain.lora import lora_config
from genrec.posttrain.validation import Scores, ValidationCallback, best_step, load_best, validation_history
from genrec.run import Session
from genrec.run.checkpoints import remove_checkpoints
from genrec.sid.vocabulary import added_ids
from gream.alignment.teacher import TeacherTable, build_teacher_table
from gream.baselines import load_sasrec
from gream.prompts import Formatter
from gream.recommend import load_parts, save_recommender
from gream.recommend.folder import Parts
from gream.settings import ReasonArguments, SupervisedArguments, TrainingStageArguments
from gream.workspace import Workspace

logger = logging.getLogger(__name__)
Validate = Callable[[Any], Scores]
CHOICES = ("best", "last")
VALIDATION_SEED = 20_815  # the same users at every stage of every run of a dataset


@dataclass
class StageModel:
    """The model a stage trains, with what it needs around it.

    Attributes:
        session: the running stage.
        arguments: its settings.
        config: TRL's settings; `output_dir` is the stage's folder.
        workspace: artifacts of the earlier stages.
        parts: model, tokenizer, index, catalogue and prompts the stage starts from.
        start_from: the stage they come from.
    """

    session: Session
    arguments: TrainingStageArguments
    config: Any
    workspace: Workspace
    parts: Parts
    start_from: str

    @classmethod
    def load(cls, session: Session, arguments: TrainingStageArguments, config: Any, start_from: str) -> StageModel:
        """Open the model of an earlier stage for training.

        Args:
            session: the running stage.
            arguments: the stage's settings.
            config: SFTConfig or SRPOConfig.
            start_from: 'index' (untrained), 'align' or 'reason'.

        Returns:
            The stage; the weights are fp32, precision in training is the config's affair.

        Raises:
            ValueError: an unknown `choose`, or LoRA on sharded weights.
        """
        files = arguments.chains if isinstance(arguments, ReasonArguments) else []
        workspace = Workspace(Path(arguments.run_dir), [Path(file) for file in files])
        parts = load_parts(workspace.model_folder(start_from), index=workspace.codes, dtype="float32", device="cpu")
        config.output_dir = str(session.folder)
        if arguments.choose not in CHOICES:
            raise ValueError(f"choose is {arguments.choose!r}; it must be one of {', '.join(CHOICES)}")
        if arguments.use_lora and weights_are_sharded():
            raise ValueError("use_lora needs whole weights to merge: launch with ddp.yaml or zero2.yaml instead")
        return cls(session, arguments, config, workspace, parts, start_from)

    @property
    def formatter(self) -> Formatter:
        """The formatter of training and inference."""
        return Formatter(
            self.parts.tokenizer,
            self.parts.item_codes,
            self.workspace.vocabulary,
            self.parts.catalogue,
            self.parts.prompt_config,
        )

    @cached_property
    def teacher(self) -> TeacherTable | None:
        """What the index stage's CE-SASRec expects in the training histories; None where no setting asks for it."""
        a, w = self.arguments, self.workspace
        if not isinstance(a, SupervisedArguments) or not max(a.swap_share, a.teacher_share):
            return None
        return build_teacher_table(load_sasrec(w.sasrec).score_histories, w.split.train)

    @property
    def peft_config(self) -> Any:
        """LoRA with trainable new token rows, or None for full fine-tuning."""
        a = self.arguments
        if not a.use_lora:
            return None
        ids = added_ids(self.parts.tokenizer, self.workspace.vocabulary)
        return lora_config(self.parts.model, ids, rank=a.lora_rank, alpha=a.lora_alpha, dropout=a.lora_dropout)

    def callbacks(self, validate: Validate, metric: str) -> list[Any]:
        """History file, speed and validation, in the order they must run; none of the last when sharded."""
        callbacks = [ThroughputCallback(), JsonlHistory(self.session.folder / "log.jsonl")]
        if weights_are_sharded():
            logger.warning("weights are sharded over processes: no validation while training, the last step is kept")
            return callbacks
        return [*callbacks, ValidationCallback(validate, metric, self.arguments.validate_every)]

    def finish(self, trainer: Any, metric: str) -> None:
        """Put the chosen weights back, save the recommender folder, remove checkpoints.

        Args:
            trainer: the trainer after `train()`.
            metric: the score that chose the weights.
        """
        gathered = trainer.accelerator.get_state_dict(trainer.model_wrapped) if weights_are_sharded() else None
        if not self.session.is_main:
            return
        folder, model = self.session.folder, trainer.accelerator.unwrap_model(trainer.model)
        if gathered is not None:
            return _save_gathered(self, gathered, trainer)
        step = int(trainer.state.global_step)
        if self.arguments.choose == "best":
            step = best_step(folder, metric)
            load_best(model, folder)
        if hasattr(model, "peft_config"):
            model = model.merge_and_unload(safe_merge=True)
        facts = stage_facts(folder, metric, trainer, step)
        self.session.facts.update(facts)
        _save(self, model, facts)
        if not self.arguments.keep_checkpoints:
            remove_checkpoints(folder)
            shutil.rmtree(folder / "best")
        logger.info(
            "%s: %s %.4f -> %.4f, saved in %s",
            self.session.stage,
            metric,
            facts["before"],
            facts["after"],
            folder,
        )


def weights_are_sharded() -> bool:
    """True under FSDP or ZeRO-3, where no process holds a whole model. Not run on GPU."""
    return os.environ.get("ACCELERATE_USE_FSDP") == "true" or (
        os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true"
        and os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3"
    )


def _save_gathered(stage: StageModel, weights: dict[str, Any], trainer: Any) -> None:
    """Save the weights of the last step of a sharded run; adapters are refused at the start. Not run on GPU."""
    parts = load_parts(stage.workspace.model_folder(stage.start_from), index=stage.workspace.codes, device="cpu")
    parts.model.load_state_dict(weights, strict=False)
    facts = {"steps": int(trainer.state.global_step)}
    stage.session.facts.update(facts)
    _save(stage, parts.model, facts)


def _save(stage: StageModel, model: Any, facts: dict[str, Any]) -> None:
    """Write the recommender folder and its model card."""
    from gream.model_card import write_model_card

    parts = stage.parts
    extra = {
        **parts.manifest,
        "stage": stage.session.stage,
        "dataset": stage.workspace.dataset.name,
        "seed": stage.config.seed,
        **facts,
    }
    save_recommender(
        stage.session.folder,
        model,
        parts.tokenizer,
        parts.item_codes,
        parts.catalogue,
        parts.prompt_config,
        extra,
    )
    write_model_card(stage.session.folder)


def stage_facts(folder: Path, metric: str, trainer: Any, chosen: int) -> dict[str, Any]:
    """What the report needs to know about a training stage.

    Args:
        folder: the stage's folder with `validation.json`.
        metric: the score of validation.
        trainer: for steps, parameters and floating point operations.
        chosen: step whose weights are kept.

    Returns:
        metric, its value before and after, the chosen step, steps, parameters, FLOPs.
    """
    rows = validation_history(folder)
    return {
        "metric": metric,
        "before": rows[0][metric],
        "after": next(row[metric] for row in rows if row["step"] == chosen),
        "chosen_step": chosen,
        "steps": int(trainer.state.global_step),
        "parameters": sum(p.numel() for p in trainer.model.parameters()),
        "total_flos": float(trainer.state.total_flos),
    }
