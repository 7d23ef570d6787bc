"""Which interactions stay? De-duplication, iterated k-core, time order: pure functions over frames."""

from __future__ import annotations

from typing import Any

import polars as pl

from genrec.data.errors import DataError, SkipLog, describe
from genrec.data.raw import RawData

COUNT_KEYS = ("step", "users", "items", "interactions")
TIE_RULE = "per user by timestamp; equal or absent timestamps by position, then by line of the file"


def counts_of(step: str, frame: pl.DataFrame) -> dict[str, Any]:
    """Count what is in a frame.

    Args:
        step: Name of the step that made it.
        frame: Interactions.

    Returns:
        step, users, items, interactions.
    """
    users, items = frame["user_id"].n_unique(), frame["item_id"].n_unique()
    return {"step": step, "users": users, "items": items, "interactions": len(frame)}


def drop_exact_duplicates(frame: pl.DataFrame) -> pl.DataFrame:
    """Keep the first of interactions that agree in user, item, time and position.

    Without time and position two equal rows may be two purchases, so none is dropped; see `drop_repeats`.
    """
    moments = [name for name in ("timestamp", "position") if name in frame.columns]
    if not moments:
        return frame
    return frame.unique(["user_id", "item_id", *moments], keep="first", maintain_order=True)


def drop_repeats(frame: pl.DataFrame, repeats: str) -> pl.DataFrame:
    """Treat a user's second interaction with the same item.

    Args:
        frame: Interactions in time order.
        repeats: "keep" all, keep the "first" or the "last" of each (user, item) pair.

    Returns:
        Interactions in the same order.
    """
    if repeats == "keep":
        return frame
    if repeats not in ("first", "last"):
        raise ValueError(f"repeats is {repeats!r}; use 'keep', 'first' or 'last'")
    keep: Any = repeats
    return frame.unique(["user_id", "item_id"], keep=keep, maintain_order=True)


def in_time_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort by user and, within a user, by the declared `TIE_RULE`."""
    keys = ["user_id", *(name for name in ("timestamp", "position", "line") if name in frame.columns)]
    return frame.sort(keys, maintain_order=True)


def iterated_k_core(frame: pl.DataFrame, user_core: int, item_core: int) -> pl.DataFrame:
    """Drop users and items with too few interactions until none is left that has too few.

    Args:
        frame: Interactions.
        user_core: Fewest interactions of a user.
        item_core: Fewest interactions of an item.

    Returns:
        The largest subset in which both hold; order kept.
    """
    while True:
        enough = (pl.len().over("user_id") >= user_core) & (pl.len().over("item_id") >= item_core)
        smaller = frame.filter(enough)
        if len(smaller) == len(frame):
            return frame
        frame = smaller


def drop_short_users(frame: pl.DataFrame, min_events: int, raw: RawData, log: SkipLog) -> pl.DataFrame:
    """Report, and under on_error="skip" leave out, users with fewer than `min_events` interactions.

    Args:
        frame: Interactions.
        min_events: Fewest interactions of a user; a leave-one-out split needs 3.
        raw: Source, for file and line in the message.
        log: Policy.

    Returns:
        Interactions of the remaining users.

    Raises:
        DataError: Under on_error="raise", naming the first such user.
    """
    short = frame.filter(pl.len().over("user_id") < min_events)
    if not len(short):
        return frame
    users = short.group_by("user_id", maintain_order=True).agg(pl.len(), pl.col("line").min())
    for user, events, line in users.iter_rows():
        what = f"user {user!r} has {events} interactions, fewer than {min_events} ({len(users)} such users)"
        remedy = f"pass k_core={min_events} or min_events=1"
        log.bad("short_user", what, file=raw.file, line=line, value=user, remedy=remedy)
    return frame.filter(pl.len().over("user_id") >= min_events)


def refuse_empty(frame: pl.DataFrame, step: str, before: dict[str, Any], raw: RawData, remedy: str) -> None:
    """Raise when a step left nothing.

    Args:
        frame: What the step left.
        step: Its name.
        before: Counts before the step.
        raw: Source, for the file in the message.
        remedy: What the user can do.

    Raises:
        DataError: If the frame is empty.
    """
    if len(frame):
        return
    left = f"{before['users']} users, {before['items']} items, {before['interactions']} interactions before it"
    raise DataError(describe(f"nothing is left after {step}; there were {left}", file=raw.file, remedy=remedy))
