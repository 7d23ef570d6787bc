"""Which choices shape a prompt? They are stored beside the weights, so that inference repeats training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from genrec.data.files import read_json, write_json

Style = Literal["compact", "full"]
STYLES = ("compact", "full")
ALL_STAGES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class PromptConfig:
    """Choices shared by training rows and inference prompts.

    Args:
        max_history: most history items shown in a prompt; older ones are dropped.
        think_stages: reasoning stages that are written, a non-empty increasing subset of 1..5.
        style: "compact" labels stages with their number, "full" with a word.
        system: system message; None leaves the chat template its own default.
        max_rewritten: most items of the denoised history in stage 5 (the latest are kept);
            None means 5 in the compact style and `max_history` in the full one.

    Raises:
        ValueError: when a value breaks its rule.
    """

    max_history: int = 20
    think_stages: tuple[int, ...] = ALL_STAGES
    style: Style = "compact"
    system: str | None = None
    max_rewritten: int | None = None

    def __post_init__(self) -> None:
        """Check every field and turn lists (from YAML or JSON) into tuples."""
        object.__setattr__(self, "think_stages", tuple(self.think_stages))
        if self.max_history < 1:
            raise ValueError(f"max_history is {self.max_history} but must be at least 1; the paper uses 20")
        if self.style not in STYLES:
            raise ValueError(f"style is {self.style!r} but must be one of {STYLES}")
        stages = self.think_stages
        if not stages or list(stages) != sorted(set(stages)) or not set(stages) <= set(ALL_STAGES):
            raise ValueError(f"think_stages is {stages} but must be a non-empty increasing subset of 1..5")
        if self.max_rewritten is not None and self.max_rewritten < 0:
            raise ValueError(f"max_rewritten is {self.max_rewritten} but must be 0 or more, or null")

    @property
    def rewritten_items(self) -> int:
        """Most items of the denoised history that stage 5 shows."""
        if self.max_rewritten is not None:
            return self.max_rewritten
        return 5 if self.style == "compact" else self.max_history

    def save(self, path: str | Path) -> None:
        """Write the configuration as JSON, whole or not at all."""
        write_json(Path(path), asdict(self))

    @classmethod
    def load(cls, path: str | Path) -> PromptConfig:
        """Read what `save` wrote.

        Raises:
            ValueError: when the file holds a key that this version does not know.
        """
        stored: Mapping[str, Any] = read_json(Path(path))
        unknown = set(stored) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"{path} holds unknown keys {sorted(unknown)}; was it written by a newer version?")
        return cls(**stored)
