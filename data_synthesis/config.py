"""What can a user set about chains and about the engine? Dataclasses with their help texts and rules."""

from dataclasses import dataclass, field
from typing import Literal, get_args
from urllib.parse import urlsplit

from data_synthesis.wording.parts import STYLES, Style
from genrec.data.split import SplitKind

EngineKind = Literal["offline", "openai", "openai_batch", "vllm", "transformers"]
Structured = Literal["auto", "schema", "none"]


@dataclass(frozen=True)
class EngineConfig:
    """Who writes the texts.

    Raises:
        ValueError: A value breaks its rule.
    """

    engine: EngineKind = field(
        default="offline",
        metadata={
            "help": "offline: rules, no model (command cot only); openai: any OpenAI-compatible server; openai_batch: "
            "OpenAI's Batch API (cheaper, answers within a day); vllm, transformers: a model in this process",
            "choices": get_args(EngineKind),
        },
    )
    model: str = field(default="", metadata={"help": "name of the model on the server, hub id or folder"})
    base_url: str = field(
        default="", metadata={"help": "address of the server, such as http://localhost:8000/v1; empty = OpenAI's"}
    )
    api_key_env: str = field(
        default="OPENAI_API_KEY",
        metadata={"help": "environment variable that holds the key; a key itself is never taken from here"},
    )
    temperature: float = field(default=0.7, metadata={"help": "sampling temperature"})
    max_output_tokens: int = field(default=600, metadata={"help": "most tokens of an answer"})
    structured: Structured = field(
        default="auto",
        metadata={
            "help": "JSON schemas at the server: schema = always, none = never, auto = until it refuses them",
            "choices": get_args(Structured),
        },
    )
    stepwise: bool = field(
        default=False,
        metadata={
            "help": "ask for one field at a time (command cot), for models of some hundred million parameters; "
            "five requests per chain"
        },
    )
    batch: int = field(default=16, metadata={"help": "prompts per batch (transformers and vllm)"})
    dtype: str = field(
        default="auto", metadata={"help": "number format (transformers and vllm): auto, float32, bfloat16, ..."}
    )
    max_model_len: int = field(default=0, metadata={"help": "longest prompt and answer (vllm); 0 = the model's own"})
    batch_requests: int = field(default=10_000, metadata={"help": "most requests of one batch (openai_batch)"})
    poll_seconds: float = field(default=30.0, metadata={"help": "seconds between two looks at a batch (openai_batch)"})

    def __post_init__(self) -> None:
        for name, allowed in (("engine", get_args(EngineKind)), ("structured", get_args(Structured))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}, but must be one of {', '.join(allowed)}")
        if self.stepwise and self.engine in ("offline", "openai_batch"):
            raise ValueError(f"engine {self.engine!r} answers at once; set --stepwise false or another engine")
        if self.engine != "offline" and not self.model:
            raise ValueError(f"engine {self.engine!r} needs a model: set --model")
        if self.temperature < 0 or self.max_output_tokens < 1 or self.batch < 1:
            raise ValueError("temperature must be at least 0, max_output_tokens and batch at least 1")
        if self.batch_requests < 1 or self.poll_seconds <= 0 or self.max_model_len < 0:
            raise ValueError("batch_requests must be at least 1, poll_seconds above 0, max_model_len at least 0")
        if urlsplit(self.base_url).username is not None:
            raise ValueError("base_url holds a user name or password; put the credential into the variable api_key_env")


@dataclass(frozen=True)
class CotConfig:
    """Settings of `python -m data_synthesis cot`.

    Raises:
        ValueError: A value breaks its rule.
    """

    max_chains: int = field(
        default=10_000,
        metadata={"help": "most chains to write; every user comes once before any user comes twice. 0 = no limit"},
    )
    per_user: int = field(default=2, metadata={"help": "most chains per user, each on another training event"})
    max_history: int = field(default=20, metadata={"help": "history items shown per chain, the latest ones"})
    min_history: int = field(
        default=2, metadata={"help": "fewest items before the explained event; shorter prefixes are not used"}
    )
    style: Style = field(
        default="compact",
        metadata={
            "help": "compact: about 20 words, for models of a few million parameters; "
            "full: readable sentences, for pretrained language models",
            "choices": STYLES,
        },
    )
    split: SplitKind = field(
        default="leave_one_out",
        metadata={
            "help": "whose training part is explained: use the split that the recommender is judged by",
            "choices": get_args(SplitKind),
        },
    )
    seed: int = field(default=0, metadata={"help": "seed of the chosen events and of the wording"})
    shots: int = field(
        default=0,
        metadata={
            "help": "worked examples (of other users, by the rules) that a language model is shown before its "
            "question; small models need one"
        },
    )
    attempts: int = field(
        default=8, metadata={"help": "wordings tried per event before its chain is dropped and counted"}
    )

    def __post_init__(self) -> None:
        for name, least in (("max_chains", 0), ("per_user", 1), ("min_history", 1), ("attempts", 1), ("shots", 0)):
            value = getattr(self, name)
            if value < least:
                raise ValueError(f"{name} is {value}, but must be at least {least}")
        if self.max_history < self.min_history:
            raise ValueError(
                f"max_history is {self.max_history}, but must be at least min_history ({self.min_history}); "
                "raise the one or lower the other"
            )
        for name, allowed in (("style", STYLES), ("split", get_args(SplitKind))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} is {getattr(self, name)!r}, but must be one of {', '.join(allowed)}")
