"""What can be set for GRASP and its baselines? YAML files and `--help` follow from this dataclass."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from llmrec.backbones import row_title
from llmrec.grasp.corrupt import KINDS
from llmrec.grasp.holistic import HolisticConfig
from llmrec.settings import EnrichedArguments

ARMS = ("grasp", "plain", "text_items", "rlmrec", "llminit", "llm_esr")


@dataclass
class GraspArguments(EnrichedArguments):
    """Train and judge GRASP, or a baseline that uses the same descriptions."""

    arm: str = field(
        default="grasp",
        metadata={
            "help": "grasp, plain (backbone), text_items (GRASP without its attention), rlmrec, llminit, llm_esr.",
            "choices": list(ARMS),
        },
    )
    attention: bool = field(default=True, metadata={"help": "Ablation: false = plain means, no learnt weights."})
    similar: bool = field(default=True, metadata={"help": "Ablation: false = no features of similar users, items."})
    global_features: bool = field(default=True, metadata={"help": "Ablation: false = no global attention."})
    softmax: bool = field(default=False, metadata={"help": "Ablation: true = softmax in the place of sigmoid."})
    user_dropout: float = field(default=0.5, metadata={"help": "Share of training sequences whose user is hidden."})
    branch_dropout: float = field(
        default=0.5, metadata={"help": "Share of training sequences that the attention leaves as they are."}
    )
    aux_weight: float = field(default=0.1, metadata={"help": "rlmrec, llm_esr: weight of the second loss."})
    temperature: float = field(default=0.2, metadata={"help": "rlmrec: temperature of the contrast."})
    encoder: str = field(default="minilm", metadata={"help": "minilm, hash, hf:<folder or id>, or an id or folder."})
    text_width: int = field(default=128, metadata={"help": "Principal components of the text vectors that are read."})
    neighbours: int = field(default=10, metadata={"help": "Similar users and items, k."})
    store: str | None = field(
        default=None, metadata={"help": "Folder of the neighbour store, shared by runs; none = <run_dir>/store."}
    )
    item_texts: str | None = field(
        default=None, metadata={"help": "Output of `data_synthesis items`; none = catalogue."}
    )
    user_texts: str | None = field(
        default=None,
        metadata={"help": "Output of `data_synthesis users`; none = categories and titles of the history."},
    )
    profiles: str | None = field(
        default=None, metadata={"help": "JSON lines with user_id, age, ...; none = users.jsonl.gz beside the data."}
    )
    corrupt_share: float = field(default=0.0, metadata={"help": "Hallucination test: share of wrong descriptions."})
    corrupt_kind: str = field(
        default="swapped", metadata={"help": "Hallucination test: swapped or invented.", "choices": list(KINDS)}
    )

    def __post_init__(self) -> None:
        """Refuse values outside the choices."""
        super().__post_init__()
        if self.arm not in ARMS:
            raise ValueError(f"arm is {self.arm!r}; it must be one of {', '.join(ARMS)}")
        if self.neighbours < 1 or self.text_width < 1 or self.aux_weight < 0 or self.temperature <= 0:
            raise ValueError(
                "neighbours and text_width must be at least 1, aux_weight not negative and temperature positive, got "
                f"{self.neighbours}, {self.text_width}, {self.aux_weight}, {self.temperature}"
            )
        if not (0.0 <= self.user_dropout <= 1.0 and 0.0 <= self.branch_dropout < 1.0):
            raise ValueError(
                "user_dropout must be in [0, 1] and branch_dropout in [0, 1), got "
                f"{self.user_dropout} and {self.branch_dropout}; arm: text_items leaves the attention out altogether"
            )
        if not 0.0 <= self.corrupt_share <= 1.0 or self.corrupt_kind not in KINDS:
            raise ValueError(
                f"corrupt_share must be in [0, 1] and corrupt_kind one of {', '.join(KINDS)}, got "
                f"{self.corrupt_share} and {self.corrupt_kind!r}"
            )

    def holistic(self) -> HolisticConfig:
        """The ablation switches."""
        return HolisticConfig(self.attention, self.similar, self.global_features, self.softmax)

    def store_folder(self) -> Path:
        """Where the neighbour store lies; wrong descriptions never enter a shared one."""
        if self.store is None or self.corrupt_share:
            return Path(self.run_dir) / "store"
        return Path(self.store)

    def title(self) -> str:
        """Name of the row."""
        return row_title(self.row_name(), self.backbone)

    def row_name(self) -> str:
        """Name of the model in tables."""
        names = {
            "text_items": "text in items",
            "rlmrec": "RLMRec type",
            "llminit": "LLMInit",
            "llm_esr": "LLM-ESR",
            "plain": "plain",
        }
        return names.get(self.arm) or ", ".join(["GRASP", *self._switched()])

    def protocol(self) -> dict[str, str]:
        """Lines for the report's protocol section."""
        source = (
            "written by a language model" if self.item_texts or self.user_texts else "catalogue and training titles"
        )
        lines = {"descriptions": f"{source}; {self.encoder}, {self.neighbours} neighbours from training data"}
        if self.corrupt_share:
            lines["wrong descriptions"] = f"{self.corrupt_share:.0%} {self.corrupt_kind}"
        return lines

    def _switched(self) -> list[str]:
        off = ("attention", "similar", "global_features")
        words = [f"no {name.replace('_features', '')}" for name in off if not getattr(self, name)]
        return words + (["softmax"] if self.softmax else [])
