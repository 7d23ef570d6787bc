"""What can a user set about chain synthesis? One dataclass, its help texts and its rules."""

from dataclasses import dataclass, field
from typing import get_args

from data_synthesis.wording.parts import STYLES, Style
from genrec.data.split import SplitKind


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
    attempts: int = field(
        default=8, metadata={"help": "wordings tried per event before its chain is dropped and counted"}
    )

    def __post_init__(self) -> None:
        for name, least in (("max_chains", 0), ("per_user", 1), ("min_history", 1), ("attempts", 1)):
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
