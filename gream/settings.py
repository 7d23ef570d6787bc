"""What can be set in each GREAM stage? One dataclass per stage; the YAML files and `--help` are made from these.

Trainer settings (learning rate, batch, steps, precision) are TRL's own `SFTConfig` and `SRPOConfig` and stand in the
same YAML file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from genrec.data.errors import OnError
from genrec.data.sources.tabular import INTERACTION_FIELDS, ITEM_FIELDS
from genrec.data.split import SplitKind
from genrec.run import StageArguments

OUR_COLUMNS = tuple(dict.fromkeys((*INTERACTION_FIELDS, *ITEM_FIELDS)))


@dataclass
class IndexArguments(StageArguments):
    """Data, item index, tokenizer and the untrained model."""

    dataset: str = field(
        default="movielens_100k",
        metadata={"help": "Name (toy, movielens_100k, amazon_beauty_2014, ...) or folder or file of the dataset."},
    )
    k_core: int | None = field(
        default=None,
        metadata={"help": "Keep users and items with at least this many interactions; none = as is."},
    )
    columns: dict[str, str] | str | None = field(
        default=None,
        metadata={
            "help": "Own table: our column to yours, a mapping in YAML or JSON text, e.g. "
            """'{"user_id": "customer", "title": "product_name"}'."""
        },
    )
    items: str | None = field(
        default=None, metadata={"help": "Own table: a second table with item fields, or an Amazon metadata dump."}
    )
    descriptions: str | None = field(
        default=None,
        metadata={"help": "Item descriptions of `gream-synth items`, instead of the catalogue's; none = as is."},
    )
    min_rating: float | None = field(default=None, metadata={"help": "Drop interactions rated lower; none = keep all."})
    on_error: str = field(
        default="raise",
        metadata={
            "help": "Bad rows: 'raise' stops at the first, 'skip' leaves them out and lists them in a file.",
            "choices": list(get_args(OnError)),
        },
    )
    split: str = field(
        default="leave_one_out",
        metadata={
            "help": "leave_one_out (last item = test, last but one = validation) or by_time (the latest tenth of all "
            "interactions = test, the tenth before = validation, a user's first in each). Every stage follows it.",
            "choices": list(get_args(SplitKind)),
        },
    )
    encoder: str = field(
        default="minilm",
        metadata={"help": "Text encoder: minilm, hash, a sentence-transformers folder, or hf:<causal LM>."},
    )
    method: str = field(
        default="rq_kmeans", metadata={"help": "Learner of codes: rq_kmeans, rq_vae, flexcode, random."}
    )
    code_options: dict[str, Any] | str | None = field(
        default=None,
        metadata={"help": "Own settings of rq_vae or flexcode, a mapping in YAML or JSON, e.g. '{\"epochs\": 50}'."},
    )
    num_levels: int = field(default=4, metadata={"help": "Codes per item (H)."})
    codebook_size: int = field(default=256, metadata={"help": "Clusters per level (N_l)."})
    balanced: bool = field(default=False, metadata={"help": "Clusters of equal size, n/N +- 1."})
    collisions: str = field(
        default="reassign",
        metadata={"help": "Colliding items: 'reassign' the nearest free last code, or add a 'suffix' token."},
    )
    collaborative: bool = field(
        default=True,
        metadata={"help": "Put CE-SASRec item vectors (training interactions only) beside the text vectors."},
    )
    collaborative_weight: float = field(
        default=1.0, metadata={"help": "Length of the collaborative part; the text part has length 1."}
    )
    backbone: str = field(
        default="tiny", metadata={"help": "tiny (from config), smollm2, or any causal LM: hub id or folder."}
    )
    hidden_size: int = field(default=192, metadata={"help": "tiny only: width."})
    num_layers: int = field(default=4, metadata={"help": "tiny only: layers."})
    num_heads: int = field(default=6, metadata={"help": "tiny only: attention heads."})
    num_kv_heads: int = field(default=3, metadata={"help": "tiny only: key-value heads."})
    intermediate_size: int = field(default=576, metadata={"help": "tiny only: width of the feed-forward layer."})
    vocab_size: int = field(default=3000, metadata={"help": "tiny only: words of the compact BPE tokenizer."})
    init: str = field(
        default="semantic",
        metadata={
            "help": "New embedding rows: semantic (words of the cluster; for pretrained models), codebook (projected "
            "codewords; for models from scratch), mean, random."
        },
    )
    max_history: int = field(default=20, metadata={"help": "Latest items of a history that a prompt shows."})
    think_stages: str = field(default="12345", metadata={"help": "Stages a chain holds, e.g. 123 or 12345."})
    style: str = field(default="compact", metadata={"help": "Wording of chains: compact (tiny) or full."})
    sasrec_hidden: int = field(default=64, metadata={"help": "Baseline CE-SASRec: width."})
    sasrec_epochs: int = field(default=30, metadata={"help": "Baseline CE-SASRec: at most this many epochs."})
    sasrec_dropout: float = field(default=0.3, metadata={"help": "Baseline CE-SASRec: dropout."})
    sasrec_batch_size: int = field(default=128, metadata={"help": "Baseline CE-SASRec: windows per step."})
    sasrec_learning_rate: float = field(default=3e-3, metadata={"help": "Baseline CE-SASRec: peak learning rate."})
    sasrec_eval_every: int = field(default=2, metadata={"help": "Baseline CE-SASRec: epochs between validations."})
    sasrec_valid_users: int | None = field(
        default=None, metadata={"help": "Baseline CE-SASRec: users of its validation sample; none = all."}
    )
    sasrec_max_length: int = field(default=50, metadata={"help": "Baseline CE-SASRec: items of a history it sees."})
    seed: int = field(default=0, metadata={"help": "Seed of clustering, initial weights and the baseline."})

    def __post_init__(self) -> None:
        """Check the data options, and read `columns` where it is JSON text."""
        super().__post_init__()
        for name, allowed in (("on_error", get_args(OnError)), ("split", get_args(SplitKind))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}; it must be one of {', '.join(allowed)}.")
        self.columns = read_columns(self.columns)
        self.code_options = read_options(self.code_options)


def read_options(options: Any) -> dict[str, Any] | None:
    """A learner's own settings from a mapping or JSON text; None or an empty text = defaults.

    Raises:
        ValueError: it is no mapping; which names exist, the learner checks.
    """
    if options is None or options == "":
        return None
    try:
        found = json.loads(options) if isinstance(options, str) else options
    except json.JSONDecodeError as error:
        found, options = None, f"{options} ({error})"
    if not isinstance(found, Mapping):
        raise ValueError(f"""code_options is {options!r}; write a mapping as JSON, e.g. '{{"epochs": 50}}'.""")
    return dict(found)


def read_columns(columns: Any) -> dict[str, str] | None:
    """Check a column mapping.

    Args:
        columns: our column to the user's, as a mapping or as JSON text; None or an empty text = no mapping.

    Returns:
        The mapping, or None.

    Raises:
        ValueError: it is no mapping of texts, or a key is none of our columns.
    """
    if columns is None or columns == "":
        return None
    try:
        found = json.loads(columns) if isinstance(columns, str) else columns
    except json.JSONDecodeError as error:
        found, columns = None, f"{columns} ({error})"
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in [*found, *found.values()]):
        raise ValueError(f"""columns is {columns!r}; write it as JSON, e.g. '{{"user_id": "customer"}}'.""")
    if unknown := [name for name in found if name not in OUR_COLUMNS]:
        raise ValueError(f"columns maps {', '.join(unknown)}, but can map only {', '.join(OUR_COLUMNS)}.")
    return dict(found)


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


@dataclass
class EvalArguments(StageArguments):
    """Judge every finished stage and write the report."""

    stages: str = field(
        default="align,reason,srpo",
        metadata={"help": "Stages to judge, separated by commas; missing ones are left out."},
    )
    num_beams: int = field(default=50, metadata={"help": "Beam width of direct mode; also the longest list."})
    unseen: bool = field(default=True, metadata={"help": "Also rank with each user's own history left out."})
    max_users: int = field(default=-1, metadata={"help": "Judge a seeded sample of this many users; -1 = all."})
    reasoning_users: int = field(default=128, metadata={"help": "Users of the fixed sample for reasoning mode."})
    reasoning_samples: int = field(default=4, metadata={"help": "Chains per user."})
    temperature: float = field(default=0.7, metadata={"help": "Sampling temperature of reasoning mode."})
    top_p: float = field(default=0.9, metadata={"help": "Nucleus of reasoning mode."})
    max_new_tokens: int = field(default=96, metadata={"help": "Longest chain and answer, in tokens."})
    batch_size: int = field(default=64, metadata={"help": "Prompts decoded at once."})
    num_examples: int = field(default=5, metadata={"help": "Readable examples in the report."})
    mode: str = field(
        default="all",
        metadata={
            "help": "all: both modes, baselines and the report. direct, reasoning or mixed: this mode alone over all "
            "users (or --max_users), one line per user in eval_modes/, with latency, tokens and cost; resumable.",
            "choices": ["all", "direct", "reasoning", "mixed"],
        },
    )
    engine: str = field(
        default="transformers",
        metadata={
            "help": "With --mode: what answers. server asks a running gateway (--server).",
            "choices": ["transformers", "vllm", "server"],
        },
    )
    engine_beams: str = field(
        default="own",
        metadata={"help": "vllm: beams of this process (own) or of vLLM (engine).", "choices": ["own", "engine"]},
    )
    max_model_len: int = field(default=1024, metadata={"help": "vllm: longest prompt with its completion, tokens."})
    server: str = field(default="http://127.0.0.1:8080", metadata={"help": "server: address of the gateway."})
    workers: int = field(default=4, metadata={"help": "server: users asked at once."})
    price_per_hour: float = field(default=0.0, metadata={"help": "Price of the machine, for the cost per 1,000 users."})
    compare: str | None = field(
        default=None, metadata={"help": "With --mode: a journal (eval_modes/*.jsonl) to compare with, user by user."}
    )
    results: str | None = field(
        default=None, metadata={"help": "Also write metrics.json here, e.g. results/gream_tiny_ml100k.json."}
    )
    seed: int = field(default=0, metadata={"help": "Seed of the user sample and of the chains."})

    @property
    def stage_names(self) -> list[str]:
        """`stages` as a list."""
        return [name.strip() for name in self.stages.split(",") if name.strip()]
