"""How is the alignment data set put together? Token rows of every task in one table."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from genrec.data.chains import Chain
from gream.alignment.config import AlignmentConfig
from gream.alignment.corpus import Corpus, chains_by_user
from gream.alignment.sequences import TokenRow, sequence_rows
from gream.alignment.tasks import TEXT_TASKS
from gream.alignment.teacher import TeacherTable
from gream.prompts import Formatter
from gream.prompts.wordings import SEQUENTIAL

if TYPE_CHECKING:
    from datasets import Dataset as RowTable

logger = logging.getLogger(__name__)

_BATCH = 2048


def build_alignment_rows(
    split: Any,
    dataset: Any,
    formatter: Formatter,
    chains: Iterable[Chain] | None = None,
    tasks: Sequence[str] | None = None,
    packed: bool | None = None,
    seed: int | None = None,
    *,
    config: AlignmentConfig | None = None,
    teacher: TeacherTable | None = None,
) -> RowTable:
    """Build the token rows of all alignment tasks; loss falls on completions only.

    Args:
        split: `Split`; only `split.train` is read, so no validation or test item can enter a history.
        dataset: `Dataset`, for user ids and the catalogue.
        formatter: the formatter of training and inference.
        chains: reasoning chains, for preference summaries; None uses attribute summaries.
        tasks: task names; None keeps the configuration's.
        packed: one row per history or one per prefix; None keeps the configuration's.
        seed: seed of the choices; None keeps the configuration's.
        config: weights, limits and lengths.
        teacher: candidates of a teacher trained on `split.train`, needed where `config.swap_share` or
            `config.teacher_share` is positive.

    Returns:
        Table with `input_ids` (tokens), `completion_mask` (1 means the token is a target), `task` and `teacher` (one
        position of the teacher's table per next item, none where the labels are the tokens themselves).

    Raises:
        ValueError: when no row comes out, a chain leaves the training data, or the teacher is missing.
    """
    given = {"tasks": None if tasks is None else tuple(tasks), "packed": packed, "seed": seed}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    config = replace(config or AlignmentConfig(), **changes)
    if max(config.swap_share, config.teacher_share) > 0 and teacher is None:
        raise ValueError(
            f"swap_share {config.swap_share} and teacher_share {config.teacher_share} need a teacher; pass "
            "teacher=build_teacher_table(...)"
        )
    by_user = chains_by_user(chains, dataset, split.train)
    corpus = Corpus(split.train, formatter, by_user, config, teacher)
    return table_of((task, row) for task in config.tasks for row in task_rows(corpus, task))


def task_rows(corpus: Corpus, task: str) -> Iterator[TokenRow]:
    """Yield the token rows of one task."""
    if task == SEQUENTIAL:
        yield from sequence_rows(corpus)
        return
    pairs = TEXT_TASKS[task](corpus)
    while batch := list(islice(pairs, _BATCH)):
        yield from (TokenRow(*row) for row in corpus.formatter.encode_batch(batch))


def table_of(rows: Iterable[tuple[str, TokenRow]]) -> RowTable:
    """Collect rows into a table with small integer columns.

    Args:
        rows: (task, row) pairs.

    Returns:
        Table with `input_ids`, `completion_mask`, `task` and `teacher`.

    Raises:
        ValueError: when there is no row.
    """
    from datasets import Dataset as RowTable
    from datasets import Features, Sequence, Value

    columns: dict[str, list[Any]] = {"input_ids": [], "completion_mask": [], "task": [], "teacher": []}
    for task, row in rows:
        columns["task"].append(task)
        for name, values in row._asdict().items():
            columns[name].append(values)
    if not columns["task"]:
        raise ValueError("no row came out; check tasks, weights and limits, and that users have 2+ items")
    logger.info("rows: %d", len(columns["task"]))
    features = Features(
        {
            "input_ids": Sequence(Value("int32")),
            "completion_mask": Sequence(Value("int8")),
            "task": Value("string"),
            "teacher": Sequence(Value("int32")),
        }
    )
    return RowTable.from_dict(columns, features=features)
