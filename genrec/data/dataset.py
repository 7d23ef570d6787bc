"""What did whom do, in which order? Time-ordered histories over one catalogue."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrec.data.catalogue import Catalogue
from genrec.data.errors import DataError, describe
from genrec.data.files import read_json, sha256_of, write_json, write_whole
from genrec.data.split import Split, SplitKind, make_split

IntArray = NDArray[np.int64]
INTERACTIONS, CATALOGUE, META = "interactions.parquet", "catalogue.jsonl.gz", "dataset.json"


@dataclass
class Dataset:
    """Histories of all users, with the items they are made of.

    Attributes:
        name: What the dataset is called in reports.
        histories: Per dense user, dense item indices oldest first (int64).
        user_ids: The users' own ids, in dense order.
        catalogue: The items.
        timestamps: Unix seconds of the same interactions, or None when the source has none.
        counts: One dictionary per preparation step: step, users, items, interactions.
        info: Provenance: source, options, tie rule, skipped rows, evidence split.
    """

    name: str
    histories: list[IntArray]
    user_ids: list[str]
    catalogue: Catalogue
    timestamps: list[IntArray] | None = None
    counts: list[dict[str, Any]] = field(default_factory=list)
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def num_users(self) -> int:
        """Number of users."""
        return len(self.histories)

    @property
    def num_items(self) -> int:
        """Number of items in the catalogue."""
        return len(self.catalogue)

    @property
    def num_interactions(self) -> int:
        """Number of interactions over all users."""
        return sum(len(history) for history in self.histories)

    def split(self, kind: SplitKind = "leave_one_out", **options: Any) -> Split:
        """Split into training, validation and test.

        Args:
            kind: "leave_one_out" (last = test, last but one = validation) or "by_time".
            options: Options of `genrec.data.split.by_time`.

        Returns:
            The split.

        Raises:
            DataError: If the catalogue holds reviews that this split would not allow as evidence.
        """
        evidence = self.info.get("evidence_split")
        if evidence is not None and _plain(evidence) != _plain({"kind": kind, **options}):
            what = f"the item texts hold reviews from the training part of {evidence}, not of this split"
            raise DataError(describe(what, value={"kind": kind, **options}, remedy="reload with that evidence_split"))
        return make_split(self, kind, **options)

    def save(self, folder: str | Path) -> None:
        """Write the dataset to a folder: interactions.parquet, catalogue.jsonl.gz, dataset.json.

        Args:
            folder: Destination; created when missing. dataset.json is written last.
        """
        folder = Path(folder)
        write_whole(folder / INTERACTIONS, _parquet_bytes(self._interactions()))
        self.catalogue.save(folder / CATALOGUE)
        hashes = {name: sha256_of(folder / name) for name in (INTERACTIONS, CATALOGUE)}
        meta = {"name": self.name, "counts": self.counts, "info": self.info, "sha256": hashes}
        write_json(folder / META, meta)

    @classmethod
    def load(cls, folder: str | Path) -> Dataset:
        """Read what `save` wrote.

        Args:
            folder: The folder.

        Returns:
            An equal dataset.

        Raises:
            DataError: If the folder is incomplete or a file was changed.
        """
        folder = Path(folder)
        if not (folder / META).is_file():
            raise DataError(describe(f"no {META} here", file=folder, remedy="save a Dataset to it first"))
        meta = read_json(folder / META)
        for name, digest in meta["sha256"].items():
            if not (folder / name).is_file() or sha256_of(folder / name) != digest:
                raise DataError(
                    describe("missing, or not the file that was saved", file=folder / name, remedy="save again")
                )
        catalogue = Catalogue.load(folder / CATALOGUE)
        frame = pl.read_parquet(folder / INTERACTIONS)
        items = frame["item_id"].replace_strict(catalogue.item_ids, range(len(catalogue)), return_dtype=pl.Int64)
        frame = frame.with_columns(items.alias("item"))
        user_ids, histories, timestamps = group_histories(frame)
        return cls(meta["name"], histories, user_ids, catalogue, timestamps, meta["counts"], meta["info"])

    def _interactions(self) -> pl.DataFrame:
        """One row per interaction: user_id, item_id, position and, if known, timestamp."""
        lengths = np.array([len(history) for history in self.histories], dtype=np.int64)
        ids = pl.Series(self.catalogue.item_ids, dtype=pl.String)
        columns: dict[str, Any] = {
            "user_id": pl.Series(self.user_ids, dtype=pl.String).gather(np.repeat(np.arange(len(lengths)), lengths)),
            "item_id": ids.gather(_concatenate(self.histories)),
            "position": _concatenate([np.arange(n, dtype=np.int64) for n in lengths]),
        }
        if self.timestamps is not None:
            columns["timestamp"] = _concatenate(self.timestamps)
        return pl.DataFrame(columns)


def group_histories(frame: pl.DataFrame) -> tuple[list[str], list[IntArray], list[IntArray] | None]:
    """Cut ordered rows into one history per user.

    Args:
        frame: Columns user_id, item (dense) and possibly timestamp; a user's rows are adjacent and in order.

    Returns:
        User ids in order of first row, their histories, and their timestamps (None without the column).
    """
    runs = frame["user_id"].rle().struct.unnest()
    edges = np.cumsum(runs["len"].to_numpy())[:-1]
    histories = np.split(frame["item"].to_numpy().astype(np.int64), edges)
    has_time = "timestamp" in frame.columns
    timestamps = np.split(frame["timestamp"].to_numpy().astype(np.int64), edges) if has_time else None
    return [str(user) for user in runs["value"].to_list()], histories, timestamps


def _plain(options: Any) -> Any:
    """Options as JSON keeps them: a tuple saved comes back as a list."""
    return json.loads(json.dumps(options))


def _concatenate(arrays: list[IntArray]) -> IntArray:
    """Concatenate, also when there is nothing."""
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int64)


def _parquet_bytes(frame: pl.DataFrame) -> bytes:
    """A frame as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()
