"""What can be set in each LLMRec stage? One dataclass per stage; the YAML files and `--help` are made from these."""

from __future__ import annotations

from dataclasses import dataclass, field

from genrec.fit.config import FitConfig
from genrec.run import StageArguments
from llmrec.generative.alignment.heads import HeadsConfig

CONDITIONINGS = ("text", "vector", "both")


@dataclass
class AlignArguments(StageArguments):
    """Data, text vectors and the alignment heads."""

    dataset: str = field(default="movielens_100k", metadata={"help": "Name, folder or file of the dataset."})
    encoder: str = field(default="minilm", metadata={"help": "minilm, hash, hf:<causal LM>, or an encoder's folder."})
    features: str = field(default="both", metadata={"help": "Item features: text, id (no encoding), both."})
    align: bool = field(default=True, metadata={"help": "Train the heads (ablation: false = cosines of raw texts)."})
    width: int = field(default=64, metadata={"help": "Width of the common space."})
    hidden: int = field(default=256, metadata={"help": "Width of the layer between."})
    dropout: float = field(default=0.2, metadata={"help": "Share of user features dropped in training."})
    temperature: float = field(default=0.1, metadata={"help": "Of the cosines in InfoNCE."})
    num_hard: int = field(default=4, metadata={"help": "Hard negatives per event; 0 = in-batch negatives only."})
    max_history: int = field(default=50, metadata={"help": "Latest items of a history that make a user vector."})
    epochs: int = field(default=20, metadata={"help": "Passes over the training events."})
    batch_size: int = field(default=512, metadata={"help": "Events per step over all processes."})
    learning_rate: float = field(default=1e-3, metadata={"help": "Peak learning rate."})
    patience: int = field(default=4, metadata={"help": "Validations without improvement before stopping; 0 = never."})
    eval_every: int = field(default=1, metadata={"help": "Epochs between validations."})
    valid_users: int = field(default=1000, metadata={"help": "Users of the validation sample; -1 = all."})
    baselines: bool = field(default=True, metadata={"help": "Also judge Popularity, CE-SASRec and LightGCN."})
    sasrec: str | None = field(default=None, metadata={"help": "CE-SASRec's settings: a train.yaml of its recipe."})
    baseline_epochs: int = field(default=0, metadata={"help": "Instead of the baselines' own epochs; 0 = their own."})
    results: str | None = field(default=None, metadata={"help": "Also write metrics.json here."})
    seed: int = field(default=0, metadata={"help": "Seed of weights, order and negatives."})

    def __post_init__(self) -> None:
        """Check what the heads check."""
        super().__post_init__()
        self.heads()

    def heads(self) -> HeadsConfig:
        """Shape of the heads."""
        return HeadsConfig(
            self.width,
            self.hidden,
            self.features,
            temperature=self.temperature,
            dropout=self.dropout,
            aligned=self.align,
        )

    def fit(self) -> FitConfig:
        """Options of the loop."""
        return FitConfig(
            epochs=self.epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            schedule="cosine",
            warmup_ratio=0.05,
            patience=self.patience,
            eval_every=self.eval_every,
            seed=self.seed,
        )


@dataclass
class ReasonsArguments(StageArguments):
    """Fine-tuning of the generative head on reasons."""

    head: bool = field(default=True, metadata={"help": "Train the head (ablation: false = reasons alone, no head)."})
    reasons: str | None = field(
        default=None,
        metadata={"help": "File of reasons (JSON lines of data_synthesis: chains or kind reasons); none = make them."},
    )
    max_reasons: int = field(default=2000, metadata={"help": "Reasons made when there is no file."})
    held_out: float = field(default=0.1, metadata={"help": "Share of users for validation, and again for test."})
    shown: int = field(default=5, metadata={"help": "Retrieved items that a prompt shows; the target is one of them."})
    max_history: int = field(default=5, metadata={"help": "Latest items of a history in a prompt."})
    conditioning: str = field(default="both", metadata={"help": "What the head is conditioned on: text, vector, both."})
    list_only: bool = field(default=False, metadata={"help": "Train on lists without reasons (baseline)."})
    backbone: str = field(default="tiny", metadata={"help": "tiny, smollm2, or any causal LM: hub id or folder."})
    hidden_size: int = field(default=128, metadata={"help": "tiny only: width."})
    num_layers: int = field(default=3, metadata={"help": "tiny only: layers."})
    num_heads: int = field(default=4, metadata={"help": "tiny only: attention heads."})
    intermediate_size: int = field(default=384, metadata={"help": "tiny only: width of the feed-forward layer."})
    vocab_size: int = field(default=3000, metadata={"help": "tiny only: words of the compact tokenizer."})
    use_lora: bool = field(default=False, metadata={"help": "Train a LoRA adapter, merged when the stage ends."})
    lora_rank: int = field(default=16, metadata={"help": "LoRA: rank."})
    lora_alpha: int = field(default=32, metadata={"help": "LoRA: scale."})

    def __post_init__(self) -> None:
        """Check choices and ranges."""
        super().__post_init__()
        if self.conditioning not in CONDITIONINGS:
            raise ValueError(f"conditioning is {self.conditioning!r}; it must be one of {', '.join(CONDITIONINGS)}")
        if not 0 < self.held_out < 0.5:
            raise ValueError(f"held_out must be in (0, 0.5), as validation and test take it each, got {self.held_out}")
        if self.shown < 1:
            raise ValueError(f"shown must be at least 1 item, got {self.shown}")


@dataclass
class EvalArguments(StageArguments):
    """Ranking, text quality, reason accuracy, gain after feedback."""

    chat: str | None = field(default=None, metadata={"help": "Judge a prompted chat model too, see genrec.llm.chat."})
    chat_users: int = field(default=50, metadata={"help": "Users that a chat model gets, as it is slow."})
    text_users: int = field(default=64, metadata={"help": "Held-out reasons that are written anew."})
    list_users: int = field(default=100, metadata={"help": "Test users whose lists are ranked and checked."})
    simulated_users: int = field(default=300, metadata={"help": "Test users who talk back."})
    turns: int = field(default=3, metadata={"help": "Turns of feedback."})
    max_new_tokens: int = field(default=128, metadata={"help": "Longest written list, in tokens."})
    rated: int = field(default=20, metadata={"help": "Reasons per system on the blind rating sheet."})
    results: str | None = field(default=None, metadata={"help": "Also write metrics.json here."})
    seed: int = field(default=0, metadata={"help": "Seed of the user samples."})
