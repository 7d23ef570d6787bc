"""What can be set in each SAGE stage? One dataclass per stage; the YAML files and `--help` are made from these.

Trainer settings are TRL's own `SFTConfig` and `SageRLConfig` and stand in the same YAML file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from genrec.run import StageArguments
from sage.cold.split import PRESETS, ColdConfig
from sage.gradient.weights import AdaptiveGradient
from sage.items.vocabularies import VOCABULARIES
from sage.sft.trainer import ListDiversity


@dataclass
class JudgeArguments(StageArguments):
    """What both stages share: validation, evaluation, adapters."""

    validate_every: int = field(
        default=0, metadata={"help": "Optimizer steps between validations; 0 = before the first and after the last."}
    )
    validation_users: int = field(default=256, metadata={"help": "Users of the fixed validation sample."})
    validation_beams: int = field(default=20, metadata={"help": "Candidates per list in validation."})
    num_beams: int = field(default=50, metadata={"help": "Candidates per list in evaluation: the largest K of rows."})
    max_users: int = field(default=-1, metadata={"help": "Judge a seeded sample of each scene; -1 = all."})
    diversity: float = field(default=0.5, metadata={"help": "Strength of the re-ranked rows, in [0, 1]; 0 = none."})
    fresh: int = field(default=2, metadata={"help": "Slots for new items in the row that says so; 0 = no such row."})
    baselines: bool = field(default=True, metadata={"help": "Also train and judge the conventional baselines."})
    baseline_epochs: int = field(default=20, metadata={"help": "Epochs of the SASRec baselines (ids, and contents)."})
    keep_checkpoints: bool = field(default=False, metadata={"help": "Keep checkpoint-* after the stage finished."})
    use_lora: bool = field(default=False, metadata={"help": "Train a LoRA adapter, merged when the stage ends."})
    lora_rank: int = field(default=16, metadata={"help": "LoRA: rank."})
    lora_alpha: int = field(default=32, metadata={"help": "LoRA: scale."})
    results: str | None = field(default=None, metadata={"help": "Also write metrics.json here, e.g. results/x.json."})

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        if not 0 <= self.diversity <= 1:
            raise ValueError(f"diversity must be in [0, 1], got {self.diversity}")
        if not 0 <= self.fresh <= 10:
            raise ValueError(f"fresh must be 0 ... 10 slots of a list of 10, got {self.fresh}")


@dataclass
class SftArguments(JudgeArguments):
    """Data, cold-start split, vocabulary and supervised training."""

    dataset: str = field(default="movielens_100k", metadata={"help": "Name, folder or file of the dataset."})
    num_users: int = field(default=-1, metadata={"help": "Draw so many users, and the items they chose; -1 = all."})
    max_events: int = field(default=-1, metadata={"help": "Keep each user's latest events only; -1 = all."})
    scene: str = field(
        default="ml20m", metadata={"help": f"Shares of new users and items: {', '.join(PRESETS)}, none or custom."}
    )
    user_share: float = field(default=0.25, metadata={"help": "scene: custom only. Share of new users."})
    item_share: float = field(default=0.15, metadata={"help": "scene: custom only. Share of new items."})
    shown: int = field(default=3, metadata={"help": "Latest items of a new user that are shown."})
    split_seed: int = field(default=0, metadata={"help": "Seed of the cold-start split, the same for all rows."})
    encoder: str = field(default="minilm", metadata={"help": "Text encoder of item vectors, see genrec.llm.encoders."})
    vocabulary: str = field(
        default="native", metadata={"help": f"How items are written: {', '.join(VOCABULARIES)} (the last two compare)."}
    )
    num_levels: int = field(default=4, metadata={"help": "rq_index: codes per item."})
    codebook_size: int = field(default=256, metadata={"help": "rq_index: codes per level."})
    time_index: bool = field(default=True, metadata={"help": "Time an RQ index beside the native vocabulary."})
    backbone: str = field(default="tiny", metadata={"help": "tiny, smollm2, or any causal LM: hub id or folder."})
    hidden_size: int = field(default=128, metadata={"help": "tiny only: width."})
    num_layers: int = field(default=3, metadata={"help": "tiny only: layers."})
    num_heads: int = field(default=4, metadata={"help": "tiny only: attention heads."})
    intermediate_size: int = field(default=384, metadata={"help": "tiny only: width of the feed-forward layer."})
    vocab_size: int = field(default=3000, metadata={"help": "tiny only: words of the compact tokenizer."})
    max_history: int = field(default=20, metadata={"help": "Latest items that a prompt shows."})
    overlap: int = field(default=5, metadata={"help": "Least context of a target in later rows of a long history."})
    dropout: float = field(default=0.0, metadata={"help": "Share dropped from embeddings and block outputs."})
    adaptive: bool = field(default=True, metadata={"help": "Weigh targets by history length (ablation: false)."})
    gradient_low: float = field(default=0.5, metadata={"help": "Weight of a very long history."})
    gradient_high: float = field(default=2.0, metadata={"help": "Weight of an empty history."})
    half_life: float = field(default=5.0, metadata={"help": "Items after which half of high - low is gone."})
    list_weight: float = field(default=0.1, metadata={"help": "Weight of the mutual information (ablation: 0)."})
    list_every: int = field(default=4, metadata={"help": "Optimizer steps between two regularised ones."})
    list_size: int = field(default=10, metadata={"help": "Items of a regularised list."})
    list_prompts: int = field(default=1, metadata={"help": "Lists per process in a regularised pass."})

    def __post_init__(self) -> None:
        """Check names, and the ranges of the parts."""
        super().__post_init__()
        if self.vocabulary not in VOCABULARIES:
            raise ValueError(f"vocabulary is {self.vocabulary!r}; it must be one of {', '.join(VOCABULARIES)}")
        if self.scene not in (*PRESETS, "none", "custom"):
            raise ValueError(f"scene is {self.scene!r}; it must be one of {', '.join((*PRESETS, 'none', 'custom'))}")
        self.cold(), self.gradient(), self.lists()

    def cold(self) -> ColdConfig:
        """Shares of new users and items."""
        if self.scene == "none":
            return ColdConfig(0.0, 0.0, self.shown, self.split_seed)
        users, items = PRESETS.get(self.scene, (self.user_share, self.item_share))
        return ColdConfig(users, items, self.shown, self.split_seed)

    def gradient(self) -> AdaptiveGradient | None:
        """History weights, None without."""
        return AdaptiveGradient(self.gradient_low, self.gradient_high, self.half_life) if self.adaptive else None

    def lists(self) -> ListDiversity | None:
        """The regulariser, None without."""
        made = ListDiversity(self.list_weight, self.list_every, self.list_prompts, self.list_size)
        return made if self.list_weight > 0 else None


@dataclass
class RLArguments(JudgeArguments):
    """Reinforcement learning from the SFT model."""

    max_prompts: int = field(default=2000, metadata={"help": "Training (history, next item) pairs; -1 = all."})
