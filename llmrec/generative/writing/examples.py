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

from genrec.backbones.retrieve import ExactRetriever
from genrec.data.dataset import Dataset
from genrec.data.errors import DataError, describe
from genrec.data.files import read_jsonl
from genrec.data.split import Split
from llmrec.generative.alignment.heads import AlignmentHeads

TRAIN, VALID, TEST = 0, 1, 2


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


def user_parts(examples: Sequence[ReasonExample], share: float, seed: int) -> NDArray[np.int64]:
    """Which part each reason belongs to: (n,) of TRAIN, VALID and TEST; a user's reasons stay together.

    Args:
        examples: the reasons.
        share: of the users that go to VALID, and again to TEST: at least one each.
        seed: of the draw.

    Raises:
        ValueError: too few users for three parts.
    """
    users = np.unique([example.user for example in examples])
    count = max(1, round(share * len(users)))
    if len(users) <= 2 * count:
        raise ValueError(
            f"reasons of {len(users)} users cannot be split into training, validation and test with held_out {share}; "
            "make reasons for more users, or hold out fewer"
        )
    order = np.random.default_rng(seed).permutation(users)
    part = dict.fromkeys(order[:count].tolist(), TEST) | dict.fromkeys(order[count : 2 * count].tolist(), VALID)
    return np.array([part.get(example.user, TRAIN) for example in examples])


def retrieved_for(heads: AlignmentHeads, examples: Sequence[ReasonExample], pool: int = 50) -> list[list[int]]:
    """What the heads retrieve for the history of each example, best first, the history left out; at most `pool`."""
    retriever, found = ExactRetriever(heads.item_vectors()), []
    for start in range(0, len(examples), 256):
        histories = [np.asarray(e.history, dtype=np.int64) for e in examples[start : start + 256]]
        rows, _ = retriever.search(heads.encode(histories).numpy(), pool, histories)
        found += [row[row >= 0].tolist() for row in rows]
    return found


def candidates_of(example: ReasonExample, retrieved: Sequence[int], shown: int, seed: int) -> list[int]:
    """Items a list is chosen from, as they are at inference: retrieved for the history, the target among them.

    The others are drawn from all that was retrieved. Were they the target's own neighbours, or always the very best,
    the target would be the one in the middle, or the odd one out, and could be told without reading.

    Args:
        example: the example.
        retrieved: dense items retrieved for its history.
        shown: items wanted.
        seed: of draw and order.
    """
    rng = np.random.default_rng([seed, example.user, example.target])
    others = [item for item in retrieved if item != example.target]
    drawn = rng.permutation(len(others))[: shown - 1]
    chosen = [example.target, *(others[i] for i in drawn)]
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
