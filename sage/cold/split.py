"""Which users and items does training never see? New users, new items, and everybody else.

A seeded share of users is new: no event of theirs is in training. A seeded share of items is new: they are taken out of
every training, validation and shown history. Each user is asked once, for the last event; where that falls decides the
scene. Who is new twice (a new user whose last item is new) is counted and asked nothing.
Source: METHODS 4 (scenes and presets); the drawing is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genrec.data.split import Split, Targets

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
SCENES = ("regular", "new_users", "new_items")
PRESETS = {"ml20m": (0.25, 0.15), "fashion": (0.30, 0.20), "coldstart10k": (0.50, 0.50)}


@dataclass
class ColdConfig:
    """Shares of new users and items.

    Raises:
        ValueError: a share outside [0, 1), or no shown history.
    """

    user_share: float = field(default=0.25, metadata={"help": "share of users that training never sees"})
    item_share: float = field(default=0.15, metadata={"help": "share of items that training never sees"})
    shown: int = field(default=3, metadata={"help": "latest items of a new user that are shown with the question"})
    seed: int = field(default=0, metadata={"help": "seed of both draws"})

    def __post_init__(self) -> None:
        for name in ("user_share", "item_share"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)}")
        if self.shown < 1:
            raise ValueError(f"shown must be at least 1 item, got {self.shown}")

    @classmethod
    def preset(cls, name: str, seed: int = 0) -> ColdConfig:
        """Shares by name: ml20m, fashion or coldstart10k.

        Raises:
            ValueError: no such preset.
        """
        if name not in PRESETS:
            raise ValueError(f"preset {name!r} is unknown; choose one of {', '.join(PRESETS)}")
        users, items = PRESETS[name]
        return cls(users, items, seed=seed)


@dataclass
class ColdSplit:
    """Training without the new, and one set of questions per scene.

    Attributes:
        split: training and validation of known users over known items; its test part is the regular scene.
        scenes: questions by scene, see `SCENES`.
        new_users: (num_users,) bool, True for users that training never sees.
        new_items: (num_items,) bool, True for items that training never sees.
        asked_nothing: users without a question: new twice, or nothing known before their last event.
    """

    split: Split
    scenes: dict[str, Targets]
    new_users: BoolArray
    new_items: BoolArray
    asked_nothing: int


def cold_split(histories: Sequence[IntArray], num_items: int, config: ColdConfig) -> ColdSplit:
    """Split histories into training and three scenes.

    Args:
        histories: per user, dense items oldest first.
        num_items: catalogue size.
        config: shares and seed.

    Raises:
        ValueError: nothing is left to train on.
    """
    rng = np.random.default_rng(config.seed)
    new_users = _drawn(rng, len(histories), config.user_share)
    new_items = _drawn(rng, num_items, config.item_share)
    questions: dict[str, list[tuple[int, IntArray, int]]] = {scene: [] for scene in (*SCENES, "valid")}
    train: list[IntArray] = []
    for user, history in enumerate(histories):
        known = history[:-1][~new_items[history[:-1]]]
        train.append(known[:0] if new_users[user] else known[:-1])
        scene = _scene(bool(new_users[user]), len(history) > 0 and bool(new_items[history[-1]]))
        if len(known) and scene:
            shown = known[-config.shown :] if new_users[user] else known
            questions[scene].append((user, shown, int(history[-1])))
        if not new_users[user] and len(known) > 1:
            questions["valid"].append((user, known[:-1], int(known[-1])))
    if not any(len(items) > 1 for items in train):
        raise ValueError(
            f"no training history has 2 items left with user_share {config.user_share} and item_share "
            f"{config.item_share}; lower them"
        )
    scenes = {scene: _targets(questions[scene]) for scene in SCENES}
    asked = sum(len(targets) for targets in scenes.values())
    split = Split(train, _targets(questions["valid"]), scenes["regular"])
    return ColdSplit(split, scenes, new_users, new_items, len(histories) - asked)


def _drawn(rng: np.random.Generator, size: int, share: float) -> BoolArray:
    """(size,) bool with `floor(share * size)` True at random places."""
    mask = np.zeros(size, dtype=bool)
    mask[rng.permutation(size)[: int(share * size)]] = True
    return mask


def _scene(new_user: bool, new_item: bool) -> str | None:
    """The scene of a last event; None where user and item are both new."""
    if new_user:
        return None if new_item else "new_users"
    return "new_items" if new_item else "regular"


def _targets(questions: list[tuple[int, IntArray, int]]) -> Targets:
    """Questions (user, history, target) as `Targets`."""
    users, histories, targets = zip(*questions, strict=True) if questions else ((), (), ())
    return Targets(np.array(users, dtype=np.int64), list(histories), np.array(targets, dtype=np.int64))
