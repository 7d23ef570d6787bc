"""What does the model read of a store? Frozen, reduced text vectors of items and users, and of those like them.

Legend: V items, U users, D encoder width, w reduced width. The tables are no parameters and no buffers: they never
train, are not sent between processes, and do not weigh on checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor

from genrec.data.files import write_whole
from llmrec.grasp.store import NeighbourStore, Side

Floats = NDArray[np.float32]
FILE = "features.safetensors"


@dataclass
class TextFeatures:
    """Frozen features.

    Attributes:
        tables: `items` and `users`: (V or U, w) own text; `similar_items`, `similar_users`: mean over the neighbours,
            0 without any; `item_cosines` (V, 1), `user_cosines` (U, 1): mean cosine of the neighbours.
        neighbours: (U, k) similar users, -1 where there are fewer.
    """

    tables: dict[str, Tensor]
    neighbours: Tensor
    _placed: dict[tuple[str, torch.device], Tensor] = field(default_factory=dict, repr=False)

    @property
    def width(self) -> int:
        """Reduced width w."""
        return self.tables["items"].shape[1]

    @property
    def counts(self) -> tuple[int, int]:
        """Numbers of items and users."""
        return len(self.tables["items"]), len(self.tables["users"])

    def table(self, name: str, device: torch.device) -> Tensor:
        """A whole table on a device."""
        key = (name, device)
        if key not in self._placed:
            self._placed[key] = self.tables[name].to(device)
        return self._placed[key]

    def rows(self, name: str, index: Tensor) -> Tensor:
        """Rows (..., w) of a table; 0 for an index outside of it (padding, mask, a user that is not known)."""
        table = self.table(name, index.device)
        inside = (index >= 0) & (index < len(table))
        return F.embedding(index.clamp(0, len(table) - 1), table) * inside[..., None]

    def save(self, folder: str | Path) -> None:
        """Write `features.safetensors`."""
        tables = {name: table.contiguous() for name, table in self.tables.items()}
        write_whole(Path(folder) / FILE, save({**tables, "neighbours": self.neighbours.contiguous()}))

    @classmethod
    def load(cls, folder: str | Path) -> TextFeatures:
        """Read what `save` wrote."""
        tables = load_file(Path(folder) / FILE)
        neighbours = tables.pop("neighbours")
        return cls(tables, neighbours)


def features_of(store: NeighbourStore, item_ids: Sequence[str], user_ids: Sequence[str], width: int) -> TextFeatures:
    """Features in the order of a dataset.

    Args:
        store: a refreshed store.
        item_ids: V ids.
        user_ids: U ids.
        width: w; encoders that are narrower keep their own width.

    Raises:
        ValueError: an id that the store does not know, or a width below 1.
    """
    if width < 1:
        raise ValueError(f"text_width must be at least 1, got {width}")
    tables: dict[str, Tensor] = {}
    neighbours = torch.empty(0, dtype=torch.int64)
    for name, ids in (("items", item_ids), ("users", user_ids)):
        side: Side = getattr(store, name)
        rows = _rows(side, ids, name)
        own, similar, cosines, listed = _reduced(side, rows, width)
        one = name.removesuffix("s")
        tables |= {name: torch.from_numpy(own), f"similar_{name}": torch.from_numpy(similar)}
        tables[f"{one}_cosines"] = torch.from_numpy(cosines[:, None])
        neighbours = torch.from_numpy(listed)  # the users come last
    return TextFeatures(tables, neighbours)


def principal(vectors: Floats, width: int) -> Floats:
    """Vectors (n, D) on their first principal components, (n, min(width, D)); rows of zeros stay zero.

    Signs are fixed (the largest entry of a component is positive), so the result is the same on every machine.
    """
    has_text = np.abs(vectors).sum(axis=1) > 0
    centred = np.where(has_text[:, None], vectors - vectors[has_text].mean(axis=0) if has_text.any() else vectors, 0.0)
    if width < vectors.shape[1]:
        _, axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
        axes = axes[:, ::-1][:, :width]
        axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
        centred = centred @ axes
    return np.ascontiguousarray(centred, dtype=np.float32)


def _reduced(side: Side, rows: NDArray[np.int64], width: int) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
    """Own (n, w), mean of the neighbours (n, w), their mean cosine (n,), and the neighbours (n, k) in this order."""
    own = principal(side.vectors, width)
    own /= max(1e-9, float(np.sqrt((own**2).sum(axis=1).mean())))  # rows of about length 1
    listed, there = side.neighbours[rows], side.neighbours[rows] >= 0
    count = np.maximum(1, there.sum(axis=1))
    similar = (own[listed.clip(0)] * there[..., None]).sum(axis=1) / count[:, None]
    place = np.full(len(side.ids) + 1, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    cosines = (side.cosines[rows] * there).sum(axis=1) / count
    return own[rows], similar.astype(np.float32), cosines.astype(np.float32), place[listed]


def _rows(side: Side, ids: Sequence[str], name: str) -> NDArray[np.int64]:
    """The store's rows of ids."""
    missing = [one for one in ids if one not in side.index]
    if missing:
        raise ValueError(
            f"the store has no {name} {missing[:3]} ({len(missing)} of {len(ids)} are missing): it was made of "
            "other data; run recipes/grasp_refresh.py, or name another store"
        )
    return np.array([side.index[one] for one in ids], dtype=np.int64)
