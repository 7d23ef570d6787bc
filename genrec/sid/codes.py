"""Which code tuple belongs to which item?

`ItemCodes` is the one artefact every learner of codes yields and everything downstream reads: tries, rewards,
prompts and checkpoints. Shapes: `codes` (num_items, H) padded with -1, `lengths` (num_items,).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.files import write_whole

FORMAT = "genrec.item_codes/1"
PAD = -1


class ItemCodes:
    """The unique code tuple of every item, with the settings that produced it.

    Args:
        codes: (num_items, H) integers, row i holds item i's codes, padded with -1 behind its last code.
        codebook_sizes: number of codes per level, H entries (a suffix level included).
        nominal_levels: levels without the suffix level; `None` means all H.
        config: settings and seed of the learner, stored with the codes and part of the hash.

    Raises:
        ValueError: a code is outside its codebook, padding sits inside a tuple, or two items share a tuple.
    """

    def __init__(
        self,
        codes: NDArray[np.integer[Any]],
        codebook_sizes: Sequence[int],
        nominal_levels: int | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.codes: NDArray[np.int64] = np.ascontiguousarray(codes, dtype=np.int64)
        self.codebook_sizes: tuple[int, ...] = tuple(int(size) for size in codebook_sizes)
        self.config: dict[str, Any] = dict(config or {})
        self.nominal_levels: int = self.num_levels if nominal_levels is None else int(nominal_levels)
        _check_shape(self.codes, self.codebook_sizes, self.nominal_levels)
        self.lengths: NDArray[np.int64] = (self.codes != PAD).sum(axis=1)
        _check_codes(self.codes, self.lengths, self.codebook_sizes)
        _check_books(self.books, self.codebook_sizes)
        self._items: dict[tuple[int, ...], int] = {self.tuple_of(i): i for i in range(len(self.codes))}
        _check_unique(self)

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def num_items(self) -> int:
        """How many items have codes."""
        return len(self.codes)

    @property
    def num_levels(self) -> int:
        """Width H of `codes`, a suffix level included."""
        return len(self.codebook_sizes)

    @property
    def seed(self) -> int | None:
        """Seed of the learner, if it recorded one."""
        return self.config.get("seed")

    @property
    def books(self) -> tuple[tuple[str, int], ...] | None:
        """Name and size of every codebook where all positions draw from one alphabet, else None.

        Then a code is a number within the concatenation of these codebooks, and says by itself which one it is
        from (`config["books"]`, written by FlexCode: `("cf_0", 256), ("cf_1", 256), ("sem_0", 256), ...`).
        """
        books = self.config.get("books")
        return None if books is None else tuple((str(name), int(size)) for name, size in books)

    def tuple_of(self, item: int) -> tuple[int, ...]:
        """The codes of an item without padding."""
        return tuple(int(code) for code in self.codes[item, : self.lengths[item]])

    def item_of(self, codes: Sequence[int]) -> int | None:
        """The item with exactly these codes (no padding), or `None`."""
        return self._items.get(tuple(int(code) for code in codes))

    def with_config(self, extra: Mapping[str, Any]) -> ItemCodes:
        """The same codes with more settings on record, hence another hash."""
        return ItemCodes(self.codes, self.codebook_sizes, self.nominal_levels, {**self.config, **extra})

    @cached_property
    def hash(self) -> str:
        """SHA-256 over codes, codebook sizes, levels and config: the identity a checkpoint remembers."""
        return hashlib.sha256(_canonical(self._content()).encode()).hexdigest()

    def _content(self) -> dict[str, Any]:
        """Everything the file holds but the hash."""
        return {
            "format": FORMAT,
            "seed": self.seed,
            "config": self.config,
            "num_items": self.num_items,
            "codebook_sizes": list(self.codebook_sizes),
            "nominal_levels": self.nominal_levels,
            "codes": [list(self.tuple_of(i)) for i in range(self.num_items)],
        }

    def save(self, path: str | Path) -> Path:
        """Write one JSON file: codes, seed, config and hash.

        Args:
            path: file to write, or an existing folder (then `index.json` inside it).

        Returns:
            The file written.
        """
        file = _file_of(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, _canonical({"hash": self.hash, **self._content()}))
        return file

    @classmethod
    def load(cls, path: str | Path) -> ItemCodes:
        """Read a file written by `save` and check it against its own hash.

        Raises:
            FileNotFoundError: no such file.
            ValueError: the file is truncated, was edited, or is no index.
        """
        file = _file_of(path)
        if not file.is_file():
            raise FileNotFoundError(f"no item index at {file}; build one with recipes/gream_index.py")
        content = _parse(file)
        codes = _pad(content["codes"], len(content["codebook_sizes"]))
        loaded = cls(codes, content["codebook_sizes"], content["nominal_levels"], content["config"])
        if loaded.hash != content["hash"]:
            raise ValueError(_damaged(file, f"it says hash {content['hash']!r}, its content has {loaded.hash!r}"))
        return loaded


def _file_of(path: str | Path) -> Path:
    """A folder means the `index.json` inside it."""
    return Path(path) / "index.json" if Path(path).is_dir() else Path(path)


def _canonical(content: Mapping[str, Any]) -> str:
    """JSON with sorted keys, so that equal content has equal bytes."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), default=_plain)


def _plain(value: Any) -> Any:
    """NumPy numbers and paths as JSON values."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _parse(file: Path) -> dict[str, Any]:
    """The file's JSON object with every expected field."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(_damaged(file, str(error))) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(_damaged(file, f"no {FORMAT!r} marker"))
    missing = {"hash", "config", "codes", "codebook_sizes", "nominal_levels"} - content.keys()
    if missing:
        raise ValueError(_damaged(file, f"fields missing: {sorted(missing)}"))
    return content


def _damaged(file: Path, reason: str) -> str:
    return f"{file} is not a valid item index ({reason}); restore the file or rerun recipes/gream_index.py"


def _pad(rows: Sequence[Sequence[int]], width: int) -> NDArray[np.int64]:
    """Ragged code lists as a (num_items, width) matrix padded with -1."""
    codes = np.full((len(rows), width), PAD, dtype=np.int64)
    for i, row in enumerate(rows):
        if len(row) > width:
            raise ValueError(f"item {i} has {len(row)} codes but the index has {width} levels")
        codes[i, : len(row)] = row
    return codes


def _check_shape(codes: NDArray[np.int64], sizes: tuple[int, ...], nominal: int) -> None:
    if codes.ndim != 2 or codes.shape[1] != len(sizes):
        raise ValueError(f"codes have shape {codes.shape}, expected (num_items, {len(sizes)}): one column per level")
    if not 1 <= nominal <= len(sizes):
        raise ValueError(f"nominal_levels is {nominal}, it must lie between 1 and the {len(sizes)} levels")


def _check_codes(codes: NDArray[np.int64], lengths: NDArray[np.int64], sizes: tuple[int, ...]) -> None:
    """Every code inside its codebook, padding only behind the last code, no empty tuple."""
    inside = np.arange(codes.shape[1])[None, :] < lengths[:, None]
    bad = inside & ((codes < 0) | (codes >= np.array(sizes)[None, :])) | ~inside & (codes != PAD)
    for item, level in np.argwhere(bad)[:1]:
        raise ValueError(
            f"item {item} has code {codes[item, level]} at level {level}, expected 0 to {sizes[level] - 1} "
            "(-1 only behind the last code)"
        )
    if (lengths == 0).any():
        raise ValueError(f"item {int(lengths.argmin())} has no code at all")


def _check_books(books: tuple[tuple[str, int], ...] | None, sizes: tuple[int, ...]) -> None:
    """One alphabet means that every position may hold every code."""
    total = sum(size for _, size in books or ())
    if books is not None and set(sizes) != {total}:
        raise ValueError(f"codebooks {books} hold {total} codes, so every level needs that many, not {sizes}")


def _check_unique(index: ItemCodes) -> None:
    if len(index._items) == index.num_items:
        return
    for item in range(index.num_items):
        other = index._items[index.tuple_of(item)]
        if other != item:
            codes = index.tuple_of(item)
            raise ValueError(f"items {item} and {other} share the codes {codes}; run make_unique first")
