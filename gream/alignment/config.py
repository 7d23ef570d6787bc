"""Which alignment rows are built, how many of each, and how long are their texts?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gream.prompts.wordings import TASKS


@dataclass(frozen=True)
class AlignmentConfig:
    """Choices of the alignment data set.

    Args:
        tasks: task names, a subset of `gream.prompts.TASKS`.
        packed: True gives one row per history that supervises every next item; False one row per prefix.
        overlap: fewest items of context before a target in the second and later rows of a long history;
            None means half of the formatter's `max_history`.
        weights: task -> passes over its sources (users, items or chains) per epoch; 0.5 keeps a random half,
            2 uses each twice, with wordings drawn anew. Default 1.
        limits: task -> most sources used. Default no limit.
        wording_variety: share of rows that use another wording than the fixed one of evaluation, in [0, 1].
        swap_share: share of the items of sequential rows that a teacher's guess replaces, see
            `gream.alignment.teacher`.
        teacher_share: weight of a teacher's guesses in the labels of sequential rows; above 0 the rows name the
            teacher's positions.
        drop_share: share of the items of sequential rows that each copy of a history leaves out.
        max_text_words: most words of an item text in a prompt or completion.
        max_title_words: most words of a title in a completion.
        seed: seed of every random choice here.

    Raises:
        ValueError: when a value breaks its rule.
    """

    tasks: tuple[str, ...] = TASKS
    packed: bool = True
    overlap: int | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    wording_variety: float = 0.5
    swap_share: float = 0.0
    teacher_share: float = 0.0
    drop_share: float = 0.0
    max_text_words: int = 48
    max_title_words: int = 24
    seed: int = 0

    def __post_init__(self) -> None:
        """Check names and ranges."""
        object.__setattr__(self, "tasks", tuple(self.tasks))
        for where, names in (("tasks", self.tasks), ("weights", self.weights), ("limits", self.limits)):
            unknown = [name for name in names if name not in TASKS]
            if unknown:
                raise ValueError(f"{where} names unknown tasks {unknown}; choose from {list(TASKS)}")
        if not self.tasks:
            raise ValueError(f"tasks is empty; name at least one of {list(TASKS)}")
        for where, table in (("weights", self.weights), ("limits", self.limits)):
            negative = {name: value for name, value in table.items() if value < 0}
            if negative:
                raise ValueError(f"{where} holds negative values {negative}; use 0 to leave a task out")
        if not 0.0 <= self.wording_variety <= 1.0:
            raise ValueError(f"wording_variety is {self.wording_variety} but must lie in [0, 1]")
        for name in ("swap_share", "teacher_share", "drop_share"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} is {getattr(self, name)} but must lie in [0, 1)")
        if self.max_text_words < 1 or self.max_title_words < 1:
            raise ValueError("max_text_words and max_title_words must be at least 1")

    def overlap_for(self, max_history: int) -> int:
        """Return the overlap in items, at least 1."""
        return max(1, max_history // 2) if self.overlap is None else self.overlap
