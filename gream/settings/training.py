"""What can be set in the stages that make chains and train on them?"""

from __future__ import annotations

from dataclasses import dataclass, field

from genrec.run import StageArguments


@dataclass
class CotArguments(StageArguments):
    """Five-stage chains from the offline teacher."""

    max_chains: int = field(default=2000, metadata={"help": "Number of chains; -1 = one per user and position."})
    per_user: int = field(default=4, metadata={"help": "At most this many chains per user, latest targets first."})
    seed: int = field(default=0, metadata={"help": "Seed of the choice of users and wordings."})


@dataclass
class TrainingStageArguments(StageArguments):
    """What alignment, curriculum and SRPO share."""

    validate_every: int = field(
        default=0,
        metadata={"help": "Optimizer steps between validations; 0 = before the first and after the last."},
    )
    choose: str = field(
        default="best",
        metadata={"help": "Weights that are kept: best on validation (the start takes part), or last."},
    )
    validation_users: int = field(default=256, metadata={"help": "Users of the fixed validation sample."})
    validation_samples: int = field(default=4, metadata={"help": "Chains per user when Pass@1 is validated."})
    num_beams: int = field(default=10, metadata={"help": "Beam width when NDCG@10 is validated."})
    max_new_tokens: int = field(default=96, metadata={"help": "Longest chain and answer, in tokens."})
    keep_checkpoints: bool = field(default=False, metadata={"help": "Keep checkpoint-* after the stage finished."})
    use_lora: bool = field(
        default=False,
        metadata={"help": "Train a LoRA adapter and the new token rows; merged when the stage ends."},
    )
    lora_rank: int = field(default=16, metadata={"help": "LoRA: rank."})
    lora_alpha: int = field(default=32, metadata={"help": "LoRA: scale."})
    lora_dropout: float = field(default=0.0, metadata={"help": "LoRA: dropout on the adapter's input."})


@dataclass
class SupervisedArguments(TrainingStageArguments):
    """D_align as alignment and curriculum both see it."""

    packed: bool = field(
        default=True,
        metadata={"help": "One row per history that supervises every next item (else a row each)."},
    )
    overlap: int = field(
        default=10,
        metadata={"help": "Least context, in items, of a target in the later rows of a long history."},
    )
    text_repeats: float = field(
        default=1.0, metadata={"help": "Copies of each text task per epoch of histories; 0 leaves text out."}
    )
    history_repeats: float = field(
        default=1.0, metadata={"help": "Copies of the histories (with other wordings) per epoch."}
    )
    swap_share: float = field(
        default=0.0,
        metadata={
            "help": "Share of a history's items replaced, in every copy anew, by draws from what the index stage's "
            "CE-SASRec expects there; teaches the long tail. Use it with history_repeats."
        },
    )
    teacher_share: float = field(
        default=0.0,
        metadata={
            "help": "Weight of that SASRec's guesses in the labels: each next item's label is a mixture of the item "
            "that came and the guesses, handed down the code levels."
        },
    )
    drop_share: float = field(
        default=0.0,
        metadata={"help": "Share of a history's items left out, in every copy anew. Use it with history_repeats."},
    )
    dropout: float = field(
        default=0.0, metadata={"help": "Share dropped from embeddings and block outputs; for models from scratch."}
    )
    align_rows: int = field(default=-1, metadata={"help": "Alignment rows per epoch, a seeded sample; -1 = all."})


@dataclass
class AlignArguments(SupervisedArguments):
    """Alignment SFT (D_align)."""


@dataclass
class ReasonArguments(SupervisedArguments):
    """Reasoning curriculum (D_reason among D_align)."""

    schedule: str = field(
        default="curriculum",
        metadata={"help": "curriculum (METHODS 1.3), uniform (all mixed), or align_only (control row)."},
    )
    epochs: int = field(default=3, metadata={"help": "Epochs over both sets; the last one mixes uniformly."})
    gamma: float = field(default=1.5, metadata={"help": "Slope of the insertion probability."})
    chains: list[str] = field(
        default_factory=list,
        metadata={"help": "Files of five-stage chains, joined in this order; none = the run's cot/train.jsonl."},
    )
    start_from: str = field(
        default="align",
        metadata={"help": "Stage whose model this one starts from: align, or index (base model)."},
    )


@dataclass
class SrpoArguments(TrainingStageArguments):
    """SRPO: residual-sensitive prefix rewards and the bonus-calibrated advantage."""

    start_from: str = field(default="reason", metadata={"help": "Stage whose model is the policy and KL reference."})
    max_prompts: int = field(default=2000, metadata={"help": "Training (history, next item) pairs; -1 = all."})
    reachable: int = field(
        default=0,
        metadata={
            "help": "Keep only the pairs whose next item direct mode ranks among its first so many: prompts on which "
            "no sample ever earns a reward teach nothing. 0 keeps all."
        },
    )
