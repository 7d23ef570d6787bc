"""What does every source hand over? One frame of interactions, and ways to ask for items and reviews."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from genrec.data.errors import SkipLog

ItemReader = Callable[[set[str]], Iterable[Mapping[str, Any]]]
ReviewReader = Callable[[pl.DataFrame], dict[str, list[str]]]


@dataclass
class RawData:
    """Interactions as they were read: checked row by row, not yet filtered or ordered.

    Attributes:
        name: Name of the dataset.
        interactions: Columns user_id, item_id (both integer or text), line (1-based line of the file) and,
            where the source has them, timestamp (unix seconds, may be fractional), position, rating.
        items: Given the ids that are kept, yields raw item records for some or all of them.
        reviews: Given the training interactions, reads the buyers' texts: item id to cleaned texts. None when
            the source has none.
        file: The file that `line` counts in.
        info: Provenance.
        k_core: The source's own default.
        repeats: The source's own default for repeated (user, item) pairs.
    """

    name: str
    interactions: pl.DataFrame
    items: ItemReader
    reviews: ReviewReader | None = None
    file: Path | None = None
    info: dict[str, Any] = field(default_factory=dict)
    k_core: int | None = None
    repeats: str = "keep"


@dataclass
class Request:
    """What the caller of `load_dataset` asked a source for.

    Attributes:
        log: Policy for bad rows.
        columns: Our column name to the user's, for tabular files.
        items: Path of an item table or metadata dump beside the interactions.
        time_format: strptime format of text times.
        options: Options of one source, such as the toy's seed.
    """

    log: SkipLog = field(default_factory=SkipLog)
    columns: Mapping[str, str] | None = None
    items: Path | None = None
    time_format: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
