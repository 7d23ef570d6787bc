"""What changed since yesterday? Encodes changed texts, redoes the neighbour lists that this touches, swaps generations.

The result equals a store built from nothing: a list is redone when its own text changed, when it names a row that
changed or went away, or when a changed row is at least as similar as its last neighbour.

Legend: n rows, D width, k neighbours.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.llm.encoders import TextEncoder
from genrec.run.lock import stage_lock
from llmrec.grasp.neighbours import nearest, unit
from llmrec.grasp.store import SIDES, NeighbourStore, Side, current_generation, publish

logger = logging.getLogger(__name__)
MARGIN = 1e-5  # cosines of equal texts differ by rounding


@dataclass(frozen=True)
class Texts:
    """Today's texts of one side.

    Attributes:
        ids: n ids.
        texts: n descriptions.
        candidates: (n,) True where training knows the row: only these may be neighbours.
    """

    ids: Sequence[str]
    texts: Sequence[str]
    candidates: NDArray[np.bool_]


@dataclass
class Refreshed:
    """What a refresh did to one side.

    Attributes:
        rows: rows today.
        encoded: texts that were encoded.
        removed: rows of yesterday that are gone.
        relisted: neighbour lists that were computed anew.
    """

    rows: int
    encoded: int
    removed: int
    relisted: int


def refresh_store(
    folder: str | Path, texts: Mapping[str, Texts], encoder: TextEncoder, k: int = 10
) -> tuple[NeighbourStore, dict[str, Refreshed]]:
    """Bring a store up to date; makes it where there is none.

    Args:
        folder: of the store; one refresh at a time, readers go on meanwhile.
        texts: `items` and `users`.
        encoder: frozen text encoder; another one than yesterday's encodes everything anew.
        k: neighbours per row; another number lists everything anew.

    Returns:
        The current store and, per side, what was done. Where nothing changed no generation is written.

    Raises:
        RuntimeError: another refresh is at work.
        ValueError: k below 1.
    """
    if k < 1:
        raise ValueError(f"neighbours must be at least 1, got {k}")
    folder = Path(folder)
    with stage_lock(folder, "refresh", is_main=True):
        before = NeighbourStore.open(folder) if current_generation(folder) else None
        same = before is not None and (before.meta["encoder"], before.meta["k"]) == (encoder.name, k)
        old = {side: getattr(before, side) if same else None for side in SIDES}
        done = {side: refresh_side(old[side], texts[side], encoder, k) for side in SIDES}
        reports = {side: report for side, (_, report) in done.items()}
        if same and not any(report.encoded or report.removed or report.relisted for report in reports.values()):
            assert before is not None
            return before, reports
        meta: dict[str, Any] = {"encoder": encoder.name, "k": k, "sides": {s: asdict(r) for s, r in reports.items()}}
        publish(folder, {side: content for side, (content, _) in done.items()}, meta)
    logger.info("%s: %s", folder, reports)
    return NeighbourStore.open(folder), reports


def refresh_side(old: Side | None, new: Texts, encoder: TextEncoder, k: int) -> tuple[Side, Refreshed]:
    """One side of a store, reusing what an older side has.

    Args:
        old: yesterday's rows by the same encoder and k, or None.
        new: today's texts.
        encoder: text encoder.
        k: neighbours per row.

    Returns:
        Today's side and what was done.
    """
    hashes = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in new.texts]
    source = _sources(old, new.ids)
    known = np.array(
        [row >= 0 and old is not None and old.hashes[row] == h for row, h in zip(source, hashes, strict=True)]
    )
    known = known.astype(bool)
    vectors = _vectors(old, new.texts, source, known, encoder)
    neighbours, cosines = _old_lists(old, source, known, k)
    stale = _stale(old, new, vectors, source, known, neighbours, cosines)
    neighbours[stale], cosines[stale] = nearest(vectors, stale, new.candidates, k)
    side = Side(list(new.ids), hashes, vectors, new.candidates.astype(bool), neighbours, cosines)
    removed = 0 if old is None else len(set(old.ids) - set(new.ids))
    return side, Refreshed(len(hashes), int((~known).sum()), removed, len(stale))


def _sources(old: Side | None, ids: Sequence[str]) -> NDArray[np.int64]:
    """Yesterday's row (n,) of each id, -1 for a new one."""
    rows = {} if old is None else old.index
    return np.array([rows.get(name, -1) for name in ids], dtype=np.int64)


def _vectors(
    old: Side | None, texts: Sequence[str], source: NDArray[np.int64], known: NDArray[np.bool_], encoder: TextEncoder
) -> NDArray[np.float32]:
    """Vectors (n, D): yesterday's where the text is the same, else encoded."""
    asked = [texts[row] for row in np.flatnonzero(~known)]
    fresh = unit(encoder.encode(asked)) if asked or old is None else np.zeros((0, old.vectors.shape[1]), np.float32)
    fresh[[not text.strip() for text in asked]] = 0.0
    width = fresh.shape[1] if old is None else old.vectors.shape[1]
    vectors = np.zeros((len(texts), width), dtype=np.float32)
    vectors[~known] = fresh
    if old is not None:
        vectors[known] = old.vectors[source[known]]
    return vectors


def _old_lists(
    old: Side | None, source: NDArray[np.int64], known: NDArray[np.bool_], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Yesterday's lists (n, k) in today's row numbers; -2 for a neighbour that is gone."""
    neighbours, cosines = np.full((len(source), k), -1, np.int64), np.zeros((len(source), k), np.float32)
    if old is not None:
        today = np.full(len(old.ids) + 1, -2, dtype=np.int64)
        today[-1] = -1  # row -1 of an old list: no neighbour
        today[source[source >= 0]] = np.flatnonzero(source >= 0)
        neighbours[known] = today[old.neighbours[source[known]]]
        cosines[known] = old.cosines[source[known]]
    return neighbours, cosines


def _stale(
    old: Side | None,
    new: Texts,
    vectors: NDArray[np.float32],
    source: NDArray[np.int64],
    known: NDArray[np.bool_],
    neighbours: NDArray[np.int64],
    cosines: NDArray[np.float32],
) -> NDArray[np.int64]:
    """Rows whose lists must be computed anew."""
    if old is None:
        return np.arange(len(source))
    moved = ~known
    moved[known] |= old.candidates[source[known]] != new.candidates[known]
    stale = ~known | (neighbours == -2).any(axis=1)
    stale |= (moved[neighbours.clip(0)] & (neighbours >= 0)).any(axis=1)
    arrived = np.flatnonzero(moved & new.candidates & (np.abs(vectors).sum(axis=1) > 0))
    last = np.where((neighbours >= 0).all(axis=1), cosines[:, -1], -2.0)  # a short list takes anyone
    for start in range(0, len(vectors), 4096):
        part = slice(start, start + 4096)
        if len(arrived):
            best = (vectors[part] @ vectors[arrived].T).max(axis=1)
            stale[part] |= (best >= last[part] - MARGIN) & (np.abs(vectors[part]).sum(axis=1) > 0)
    return np.flatnonzero(stale)
