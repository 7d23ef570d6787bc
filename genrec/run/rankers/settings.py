"""What can be set when an id model is trained? One dataclass per backbone; YAML files and `--help` follow from it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, TypeVar, get_args

from genrec.backbones.config import LOSSES, SequenceConfig
from genrec.data.split import SplitKind
from genrec.fit.config import SCHEDULES, FitConfig
from genrec.run.arguments import StageArguments

Shape = TypeVar("Shape", bound=SequenceConfig)
PRECISIONS = ("fp32", "bf16", "auto")


@dataclass
class RankerArguments(StageArguments):
    """Data, training and evaluation: the same for every id model."""

    dataset: str = field(
        default="movielens_100k", metadata={"help": "Name (movielens_100k, amazon_beauty_2014, ...), folder or file."}
    )
    k_core: int | None = field(
        default=None, metadata={"help": "Keep users and items with at least this many interactions; none = as is."}
    )
    items: str | None = field(default=None, metadata={"help": "Own table: a second table with item fields."})
    min_rating: float | None = field(default=None, metadata={"help": "Drop interactions rated lower; none = all."})
    on_error: str = field(default="raise", metadata={"help": "Bad rows: 'raise' stops, 'skip' lists them in a file."})
    split: str = field(
        default="leave_one_out", metadata={"help": "leave_one_out or by_time.", "choices": list(get_args(SplitKind))}
    )
    width: int = field(default=64, metadata={"help": "Embedding width."})
    dropout: float = field(default=0.5, metadata={"help": "Dropout."})
    max_history: int = field(default=50, metadata={"help": "Latest items of a history that the model reads."})
    loss: str = field(
        default="ce", metadata={"help": "ce (whole catalogue), bce, gbce or sampled_softmax.", "choices": list(LOSSES)}
    )
    num_negatives: int = field(default=1, metadata={"help": "Negatives per target; sampled_softmax: per step."})
    gbce_t: float = field(default=0.75, metadata={"help": "gbce only: calibration in [0, 1]."})
    epochs: int = field(default=50, metadata={"help": "At most this many passes over the training windows."})
    batch_size: int = field(default=128, metadata={"help": "Windows per step over all processes."})
    learning_rate: float = field(default=1e-3, metadata={"help": "Peak learning rate of AdamW."})
    weight_decay: float = field(default=0.0, metadata={"help": "Decay of matrices."})
    warmup_ratio: float = field(default=0.0, metadata={"help": "Share of steps with a rising learning rate."})
    schedule: str = field(
        default="constant", metadata={"help": "constant, cosine or linear.", "choices": list(SCHEDULES)}
    )
    patience: int = field(default=5, metadata={"help": "Validations without gain before stopping; 0 = never."})
    eval_every: int = field(default=1, metadata={"help": "Epochs between validations."})
    checkpoint_seconds: float = field(default=300.0, metadata={"help": "Seconds between checkpoints in mid-epoch."})
    valid_users: int | None = field(default=None, metadata={"help": "Users of the validation sample; none = all."})
    precision: str = field(
        default="fp32",
        metadata={"help": "fp32, bf16, or auto: bf16 where a probe finds it faster.", "choices": list(PRECISIONS)},
    )
    max_users: int = field(default=-1, metadata={"help": "Judge a fixed sample of this many test users; -1 = all."})
    sampled: bool = field(default=False, metadata={"help": "Also rank against 100 negatives, labelled so."})
    export: bool = field(default=True, metadata={"help": "Write item and user vectors into <run_dir>/train/vectors."})
    results: str | None = field(default=None, metadata={"help": "Also write metrics.json here."})
    seed: int = field(default=0, metadata={"help": "Seed of weights, order, dropout and negatives."})

    def __post_init__(self) -> None:
        """Refuse values outside the choices; shape and schedule are checked by their own dataclasses."""
        super().__post_init__()
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision is {self.precision!r}; it must be one of {', '.join(PRECISIONS)}")
        if self.split not in get_args(SplitKind):
            raise ValueError(f"split is {self.split!r}; it must be one of {', '.join(get_args(SplitKind))}")
        self.fit()

    def fit(self) -> FitConfig:
        """Options of the training loop."""
        return _taken(self, FitConfig)

    def shape(self, kind: type[Shape]) -> Shape:
        """Options of a backbone: every field of `kind` that these settings have."""
        return _taken(self, kind)


@dataclass
class SasrecArguments(RankerArguments):
    """Train and judge SASRec."""

    num_layers: int = field(default=2, metadata={"help": "Transformer layers."})
    num_heads: int = field(default=2, metadata={"help": "Attention heads."})
    inner_width: int = field(default=0, metadata={"help": "Feed-forward width; 0 = 4 x width."})


@dataclass
class Gru4recArguments(RankerArguments):
    """Train and judge GRU4Rec."""

    num_layers: int = field(default=1, metadata={"help": "Recurrent layers."})
    hidden_width: int = field(default=0, metadata={"help": "Width of the recurrent state; 0 = 2 x width."})


@dataclass
class Bert4recArguments(SasrecArguments):
    """Train and judge BERT4Rec."""

    mask_share: float = field(default=0.3, metadata={"help": "Share of a sequence that is masked."})
    last_share: float = field(default=0.2, metadata={"help": "Share of sequences with the last item masked alone."})


def _taken(arguments: Any, kind: type[Any]) -> Any:
    """An instance of a dataclass from the settings of the same names."""
    names = {item.name for item in fields(kind)}
    return kind(**{item.name: getattr(arguments, item.name) for item in fields(arguments) if item.name in names})
