"""What can be set in the index stage? Data, text, codes, backbone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, get_args

from genrec.data.errors import OnError
from genrec.data.split import SplitKind
from genrec.run import StageArguments
from gream.settings.reading import read_columns, read_options


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
