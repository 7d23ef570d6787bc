"""Where do vectors and neighbours live, so that serving only looks them up? Generations of Parquet files.

`<folder>/CURRENT` names the generation that is read, `<folder>/g000007/{items,users}.parquet` and `meta.json` hold it.
A generation is never changed: a refresh writes a new one beside it and then swaps CURRENT, so a reader sees the old
state or the new one, whole. Chosen over LanceDB by measurement (benchmarks/neighbour_store.py): what serving asks for
is known beforehand, so a lookup in memory answers in microseconds where LanceDB needs milliseconds, and no further
dependency is needed. LanceDB opens and updates faster, which no request waits for.
"""

from __future__ import annotations

import io
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from genrec.data.files import read_json, write_json, write_whole

CURRENT, SIDES = "CURRENT", ("items", "users")
KEPT = 2  # generations: the current one, and the one that readers may still be opening
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass
class Side:
    """All items, or all users.

    Attributes:
        ids: n ids.
        hashes: n hashes of the described texts.
        vectors: (n, D) text vectors of length 1, 0 for an empty text.
        candidates: (n,) True for rows that may be somebody's neighbour.
        neighbours: (n, k) rows, -1 where there are fewer.
        cosines: (n, k).
    """

    ids: list[str]
    hashes: list[str]
    vectors: Floats
    candidates: NDArray[np.bool_]
    neighbours: Ints
    cosines: Floats

    @cached_property
    def index(self) -> dict[str, int]:
        """Row of each id."""
        return {name: row for row, name in enumerate(self.ids)}

    def similar(self, name: str) -> list[tuple[str, float]]:
        """Ids and cosines of the neighbours of an id, most similar first; none for an id that is not known."""
        row = self.index.get(name)
        if row is None:
            return []
        pairs = zip(self.neighbours[row], self.cosines[row], strict=True)
        return [(self.ids[other], float(cosine)) for other, cosine in pairs if other >= 0]


@dataclass
class NeighbourStore:
    """One generation, in memory.

    Attributes:
        folder: of the store.
        generation: name of the generation.
        items: the items' side.
        users: the users' side.
        meta: encoder, k and counts.
    """

    folder: Path
    generation: str
    items: Side
    users: Side
    meta: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: str | Path) -> NeighbourStore:
        """Read the current generation.

        Raises:
            ValueError: no store there.
        """
        folder = Path(folder)
        for _ in range(5):  # two refreshes while we read may remove what CURRENT named
            name = current_generation(folder)
            if name is None:
                raise ValueError(f"'{folder}' holds no neighbour store; run recipes/grasp_refresh.py first")
            try:
                sides = {side: _read(folder / name / f"{side}.parquet") for side in SIDES}
                return cls(folder, name, **sides, meta=read_json(folder / name / "meta.json"))
            except FileNotFoundError as error:
                missing = error
        raise ValueError(f"'{folder}' is damaged: {missing}; remove it and run recipes/grasp_refresh.py")

    def newest(self) -> NeighbourStore:
        """This store, or the current generation when it has moved on."""
        return self if current_generation(self.folder) == self.generation else NeighbourStore.open(self.folder)


def current_generation(folder: str | Path) -> str | None:
    """Name of the generation that readers open, None where there is no store."""
    path = Path(folder) / CURRENT
    return path.read_text(encoding="utf-8").strip() if path.is_file() else None


def publish(folder: str | Path, sides: Mapping[str, Side], meta: Mapping[str, Any]) -> str:
    """Write a new generation and make it the current one; older ones but the last are removed.

    Args:
        folder: of the store.
        sides: `items` and `users`.
        meta: facts for meta.json.

    Returns:
        Name of the generation.
    """
    folder, before = Path(folder), current_generation(folder)
    name = f"g{(int(before[1:]) if before else 0) + 1:06d}"
    part = folder / f".{name}.{uuid.uuid4().hex}.tmp"
    try:
        for side in SIDES:
            write_whole(part / f"{side}.parquet", _bytes(sides[side]))
        write_json(part / "meta.json", dict(meta))
        shutil.rmtree(folder / name, ignore_errors=True)  # of a refresh that died before CURRENT moved
        part.rename(folder / name)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    write_whole(folder / CURRENT, name + "\n")
    for old in sorted(folder.glob("g[0-9]*"))[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return name


def _bytes(side: Side) -> bytes:
    width, k = side.vectors.shape[1], side.neighbours.shape[1]
    columns = {
        "id": pl.Series(side.ids, dtype=pl.String),
        "text_hash": pl.Series(side.hashes, dtype=pl.String),
        "candidate": pl.Series(side.candidates, dtype=pl.Boolean),
        "vector": pl.Series(side.vectors, dtype=pl.Array(pl.Float32, width)),
        "neighbours": pl.Series(side.neighbours, dtype=pl.Array(pl.Int64, k)),
        "cosines": pl.Series(side.cosines, dtype=pl.Array(pl.Float32, k)),
    }
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_parquet(buffer, compression="lz4")
    return buffer.getvalue()


def _read(path: Path) -> Side:
    frame = pl.read_parquet(path)
    matrices = (frame[name].to_numpy() for name in ("vector", "neighbours", "cosines"))
    vectors, neighbours, cosines = (np.ascontiguousarray(matrix) for matrix in matrices)
    candidates = frame["candidate"].to_numpy().astype(bool)
    return Side(frame["id"].to_list(), frame["text_hash"].to_list(), vectors, candidates, neighbours, cosines)
