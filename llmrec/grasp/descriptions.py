"""What is said about each item and user? Files of `data_synthesis`, else what the catalogue and the training part know.

A user's description may rest on training interactions only; a file whose writer saw more is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genrec.data.dataset import Dataset
from genrec.data.errors import DataError, describe
from genrec.data.sources.jsonlines import read_objects
from genrec.data.split import Split
from genrec.data.texts import TextRecord, read_texts

LATEST = 20  # titles in a user's description where no language model wrote one
USER_KINDS = ("users", "preferences")


def item_descriptions(dataset: Dataset, file: str | Path | None = None) -> list[str]:
    """One text per item.

    Args:
        dataset: its catalogue holds the items.
        file: records of kind "items"; items without one keep their catalogue text.

    Returns:
        V texts in dense order.

    Raises:
        DataError: a record of another kind, or of an item that is not in the catalogue.
    """
    texts = dataset.catalogue.texts()
    for record in read_texts(file) if file else []:
        if record.kind != "items":
            remedy = "give the output of `items` here and that of `users` as user_texts"
            raise DataError(describe("not a text about an item", file=file, value=record.kind, remedy=remedy))
        texts[dataset.catalogue.index_of(record.subject)] = joined(record)
    return texts


def user_descriptions(
    dataset: Dataset, split: Split, file: str | Path | None = None, profiles: str | Path | None = None
) -> list[str]:
    """One text per user.

    Args:
        dataset: users and catalogue.
        split: only its training histories are read.
        file: records of kind "users" or "preferences"; users without one get profile, titles and categories.
        profiles: JSON lines with user_id and facts such as age and occupation.

    Returns:
        U texts in dense order, empty for a user with neither history nor profile.

    Raises:
        DataError: a record of another kind or of an unknown user, or one whose writer saw more than training.
    """
    facts = read_profiles(profiles) if profiles else {}
    texts = [
        fused(dataset, [int(item) for item in history], facts.get(user, ""))
        for user, history in zip(dataset.user_ids, split.train, strict=True)
    ]
    index = {user: place for place, user in enumerate(dataset.user_ids)}
    for record in read_texts(file) if file else []:
        if record.kind not in USER_KINDS or record.subject not in index:
            remedy = f"kinds {', '.join(USER_KINDS)}, about users of {dataset.name}"
            value = (record.kind, record.subject)
            raise DataError(describe("not a text about one of these users", file=file, value=value, remedy=remedy))
        user = index[record.subject]
        check_no_leak(record, [dataset.catalogue.item_ids[item] for item in split.train[user]], file)
        texts[user] = joined(record)
    return texts


def check_no_leak(record: TextRecord, training: Sequence[str], file: str | Path | None = None) -> None:
    """Refuse a text whose writer was shown an interaction outside the training part.

    Args:
        record: text about a user.
        training: ids of the user's training items, oldest first.
        file: named in the error.

    Raises:
        DataError: history and target are no sub-sequence of the training items.
    """
    left = iter(training)
    for item in [*record.history, *([record.target] if record.target else [])]:
        if item not in left:  # an iterator: consumes up to the item, so order and counts matter too
            what = f"the writer of user {record.subject!r}'s text saw item {item!r}, which is not in training there"
            raise DataError(describe(what, file=file, remedy="write the texts again with the split of this run"))


def joined(record: TextRecord) -> str:
    """All texts of a record, in their order."""
    return " ".join(text for text in record.texts.values() if text)


def fused(dataset: Dataset, history: Sequence[int], profile: str = "") -> str:
    """What is known about a user without a language model: profile, frequent categories, latest titles."""
    catalogue = dataset.catalogue
    counts: dict[str, int] = {}
    for item in history:
        attributes = catalogue.attributes(item)
        for name in attributes.get("categories") or attributes.get("genres") or []:
            counts[name] = counts.get(name, 0) + 1
    likes = sorted(counts, key=lambda name: -counts[name])[:5]
    titles = [catalogue.titles[item] for item in history[-LATEST:]]
    parts = [profile, f"Likes {', '.join(likes)}" if likes else "", f"Chose {'; '.join(titles)}" if titles else ""]
    return ". ".join(part for part in parts if part)


def read_profiles(path: str | Path) -> dict[str, str]:
    """Facts per user id as "age 24, occupation technician"; numbers of post codes and the like are left out."""
    return {str(row["user_id"]): _facts(row) for _, row in read_objects(Path(path)) if row.get("user_id") is not None}


def _facts(row: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in row.items() if name not in ("user_id", "zip_code", "zip") and value}
    return ", ".join(f"{name} {value}" for name, value in kept.items() if isinstance(value, str | int | float))
