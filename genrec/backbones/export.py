"""How do others get at a model's item and user vectors? One folder: two matrices and the ids of their rows.

Files: `item_vectors.npy` (V, d), `user_vectors.npy` (n, d), `vectors.json` (ids, width, model), written last.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.backbones.retrieve import check_vectors
from genrec.data.files import read_json, write_json, write_whole

Floats = NDArray[np.float32]


@dataclass
class Vectors:
    """Vectors with the ids of their rows.

    Attributes:
        items: (V, d) item vectors; the inner product with a user vector is the score.
        users: (n, d) user vectors.
        item_ids: V ids.
        user_ids: n ids.
        facts: what made them.
    """

    items: Floats
    users: Floats
    item_ids: list[str]
    user_ids: list[str]
    facts: dict[str, Any]


def export_vectors(
    folder: str | Path,
    items: ArrayLike,
    users: ArrayLike,
    item_ids: Sequence[str],
    user_ids: Sequence[str],
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """Write vectors and ids into a folder.

    Args:
        folder: destination.
        items: (V, d).
        users: (n, d).
        item_ids: V ids in row order.
        user_ids: n ids in row order.
        facts: provenance, such as the model's name and which histories the user vectors have read.

    Returns:
        The folder.

    Raises:
        ValueError: counts or widths that do not match.
    """
    folder, table = Path(folder), check_vectors(items)
    people = check_vectors(users, table.shape[1])
    for what, rows, ids in (("item", table, item_ids), ("user", people, user_ids)):
        if len(rows) != len(ids):
            raise ValueError(f"{len(rows)} {what} vectors but {len(ids)} {what} ids; pass one id per row")
    for name, rows in (("item_vectors.npy", table), ("user_vectors.npy", people)):
        buffer = io.BytesIO()
        np.save(buffer, rows)
        write_whole(folder / name, buffer.getvalue())
    named = {"item_ids": list(item_ids), "user_ids": list(user_ids)}
    write_json(folder / "vectors.json", {"width": table.shape[1], **(facts or {}), **named})
    return folder


def load_vectors(folder: str | Path) -> Vectors:
    """Read what `export_vectors` wrote.

    Raises:
        ValueError: a file does not fit the others.
    """
    folder = Path(folder)
    facts = dict(read_json(folder / "vectors.json"))
    items, users = (np.load(folder / name) for name in ("item_vectors.npy", "user_vectors.npy"))
    item_ids, user_ids = facts.pop("item_ids"), facts.pop("user_ids")
    if (len(items), len(users)) != (len(item_ids), len(user_ids)):
        raise ValueError(f"{folder}: matrices and vectors.json are of different exports; export again")
    return Vectors(items, users, item_ids, user_ids, facts)
