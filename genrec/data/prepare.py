"""How do raw interactions become a Dataset? Filter, order, number, and count at each step."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from genrec.data.catalogue import Catalogue
from genrec.data.dataset import Dataset, group_histories
from genrec.data.errors import SkipLog
from genrec.data.filters import (
    COUNT_KEYS,
    TIE_RULE,
    counts_of,
    drop_exact_duplicates,
    drop_repeats,
    drop_short_users,
    in_time_order,
    iterated_k_core,
    refuse_empty,
)
from genrec.data.raw import RawData
from genrec.data.split import make_split

logger = logging.getLogger(__name__)


@dataclass
class Preparation:
    """How interactions are filtered.

    Attributes:
        k_core: Fewest interactions per user and per item, iterated; a pair sets them apart; None for no core.
        repeats: "keep", "first" or "last" of a repeated (user, item) pair.
        min_rating: Interactions rated lower are dropped; None keeps all.
        min_events: Users with fewer interactions are an error (or skipped).
        evidence_split: Split (kind and options) whose training part may give reviews to the item texts.
    """

    k_core: int | tuple[int, int] | None = None
    repeats: str = "keep"
    min_rating: float | None = None
    min_events: int = 3
    evidence_split: Mapping[str, Any] = field(default_factory=lambda: {"kind": "leave_one_out"})


def prepare(raw: RawData, plan: Preparation, log: SkipLog) -> Dataset:
    """Filter and order raw interactions and build the dataset.

    Args:
        raw: What a source read.
        plan: How to filter.
        log: Policy for bad rows; remembers what was skipped.

    Returns:
        The dataset with its counts per step.

    Raises:
        DataError: If nothing is left, or users are too short under on_error="raise".
    """
    frame, counts = _filtered(raw, plan, log)
    catalogue = _catalogue(raw, frame)
    codes = (
        frame["item_id"]
        .cast(pl.String)
        .replace_strict(catalogue.item_ids, range(len(catalogue)), return_dtype=pl.Int64)
    )
    user_ids, histories, timestamps = group_histories(frame.with_columns(codes.alias("item")))
    info = {"tie_rule": TIE_RULE, "skipped": log.by_kind(), **raw.info}
    dataset = Dataset(raw.name, histories, user_ids, catalogue, timestamps, counts, info)
    return dataset if raw.reviews is None else _with_evidence(dataset, raw, frame, plan)


Step = tuple[str, Callable[[pl.DataFrame], pl.DataFrame], str]  # name, what it does, remedy if empty


def _steps(raw: RawData, plan: Preparation, log: SkipLog) -> list[Step]:
    """List the steps that the plan asks for, in their order."""
    users, items = plan.k_core if isinstance(plan.k_core, tuple) else (plan.k_core or 1, plan.k_core or 1)
    steps: list[Step] = [("read", lambda f: f, "check that the file holds usable rows")]
    if plan.min_rating is not None:
        steps.append((f"rating >= {plan.min_rating}", lambda f: _rated(f, plan), "lower min_rating"))
    steps.append(("exact duplicates dropped", lambda f: in_time_order(drop_exact_duplicates(f)), ""))
    if plan.repeats != "keep":
        steps.append((f"{plan.repeats} of repeated pairs", lambda f: drop_repeats(f, plan.repeats), ""))
    if max(users, items) > 1:
        steps.append((f"{users}/{items}-core", lambda f: iterated_k_core(f, users, items), "lower k_core"))
    if plan.min_events > 1:
        name = f"users with >= {plan.min_events} events"
        steps.append((name, lambda f: drop_short_users(f, plan.min_events, raw, log), "lower min_events"))
    return steps


def _filtered(raw: RawData, plan: Preparation, log: SkipLog) -> tuple[pl.DataFrame, list[dict[str, Any]]]:
    """Apply the steps; each is counted and logged."""
    frame, before = raw.interactions, counts_of("file", raw.interactions)
    counts: list[dict[str, Any]] = []
    for name, apply, remedy in _steps(raw, plan, log):
        frame = apply(frame)
        refuse_empty(frame, name, before, raw, remedy)
        before = counts_of(name, frame)
        counts.append(before)
        logger.info("%s | %s: %d users, %d items, %d interactions", raw.name, *(before[key] for key in COUNT_KEYS))
    counts[0]["skipped_rows"] = sum(n for kind, n in log.by_kind().items() if kind != "short_user")
    return frame, counts


def _rated(frame: pl.DataFrame, plan: Preparation) -> pl.DataFrame:
    """Keep interactions rated high enough."""
    if "rating" not in frame.columns:
        raise ValueError("min_rating is set but the data has no ratings; leave it out")
    return frame.filter(pl.col("rating") >= plan.min_rating)


def _catalogue(raw: RawData, frame: pl.DataFrame) -> Catalogue:
    """Items that occur, in the order of their ids (numeric when ids are numbers)."""
    kept = [str(item) for item in frame["item_id"].unique().sort().to_list()]
    records = {str(record["item_id"]): record for record in raw.items(set(kept))}
    missing = [item for item in kept if item not in records]
    if missing:
        logger.warning("%s | %d items have no record, such as %s", raw.name, len(missing), missing[:3])
    return Catalogue.from_records(records.get(item, {"item_id": item}) for item in kept)


def _with_evidence(dataset: Dataset, raw: RawData, frame: pl.DataFrame, plan: Preparation) -> Dataset:
    """Give the items reviews, from the training part of the declared split only."""
    assert raw.reviews is not None
    split = make_split(dataset, **plan.evidence_split)
    trained = np.repeat([len(history) for history in split.train], [len(history) for history in dataset.histories])
    rows = frame.with_columns(pl.int_range(pl.len()).over("user_id").alias("rank"))
    training = rows.filter(pl.col("rank") < pl.Series(trained))
    reviews = raw.reviews(training)
    logger.info("%s | %d items have reviews from training interactions", raw.name, len(reviews))
    dataset.catalogue = dataset.catalogue.with_reviews(reviews)
    dataset.info["evidence_split"] = dict(plan.evidence_split)
    return dataset
