"""What does the generative head learn from? Reasons of data_synthesis, each put into a list question.

A file of reasons holds JSON lines: chains (`history`, `target`, `recommendation`) or records of kind "reasons"
(`history`, `target`, `texts`). Both explain training interactions only; a target that is not one stops the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.dataset import Dataset
from genrec.data.errors import DataError, describe
from genrec.data.files import read_jsonl
from genrec.data.split import Split


@dataclass(frozen=True)
class ReasonExample:
    """One training interaction and why.

    Attributes:
        user: dense user.
        history: dense items that the writer saw, oldest first.
        target: dense item.
        reason: the reference text.
    """

    user: int
    history: tuple[int, ...]
    target: int
    reason: str


def read_reasons(path: str | Path, dataset: Dataset, split: Split) -> list[ReasonExample]:
    """Read a file of reasons and hold every row against the training part.

    Args:
        path: JSON lines.
        dataset: whose ids the rows use.
        split: only its training part may be explained.

    Raises:
        DataError: no such file, a row without the fields, an unknown user or item, or a target outside training.
    """
    if not Path(path).is_file():
        raise DataError(describe("there is no such file", file=path, remedy="make reasons with data_synthesis"))
    users = {user_id: user for user, user_id in enumerate(dataset.user_ids)}
    trained = [frozenset(items.tolist()) for items in split.train]
    found = []
    for line, row in enumerate(read_jsonl(path), start=1):
        example = _example(row, users, dataset, path, line)
        if not trained[example.user].issuperset((*example.history, example.target)):
            what = "the row explains an interaction that is not in training"
            raise DataError(describe(what, file=path, line=line, remedy="make the reasons from this split"))
        found.append(example)
    if not found:
        raise DataError(describe("the file holds no reason", file=path))
    return found


def held_out(examples: Sequence[ReasonExample], share: float, seed: int) -> NDArray[np.bool_]:
    """(n,) bool, True for reasons of a seeded share of users: at least one user on either side.

    Raises:
        ValueError: all reasons are of one user.
    """
    users = np.unique([example.user for example in examples])
    if len(users) < 2:
        raise ValueError(f"reasons of {len(users)} user cannot be split; make reasons for more users")
    count = min(max(1, round(share * len(users))), len(users) - 1)
    kept = set(np.random.default_rng(seed).permutation(users)[:count].tolist())
    return np.array([example.user in kept for example in examples])


def candidates_of(example: ReasonExample, near: NDArray[np.int64], shown: int, seed: int) -> list[int]:
    """Items a list is chosen from: the target among items near to it, none of the history, in seeded order.

    Args:
        example: the example.
        near: (V, N) nearest items of each item, -1 padded.
        shown: items wanted.
        seed: of the order.
    """
    others = [int(i) for i in near[example.target] if i >= 0 and i not in example.history and i != example.target]
    chosen = [example.target, *others[: shown - 1]]
    rng = np.random.default_rng([seed, example.user, example.target])
    return [chosen[i] for i in rng.permutation(len(chosen))]


def _example(row: Any, users: dict[str, int], dataset: Dataset, path: str | Path, line: int) -> ReasonExample:
    """One row, read strictly."""
    row = row if isinstance(row, dict) else {}
    texts = row.get("texts")
    text = row.get("recommendation") or (" ".join(map(str, texts.values())) if isinstance(texts, dict) else None)
    user = users.get(str(row.get("user_id") or row.get("subject")))
    if not isinstance(text, str) or not row.get("target") or not isinstance(row.get("history"), list):
        remedy = "rows need history, target and a text (recommendation, or texts)"
        raise DataError(describe("this is no reason", file=path, line=line, remedy=remedy))
    if user is None:
        raise DataError(describe("the row's user is unknown", file=path, line=line, value=row.get("user_id")))
    index = dataset.catalogue.index_of
    return ReasonExample(user, tuple(index(i) for i in row["history"]), index(row["target"]), " ".join(text.split()))
