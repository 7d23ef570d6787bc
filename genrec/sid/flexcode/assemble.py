"""How do two sets of codes become one SID, and how is it made unique?

Legend: n items, H longest SID, k_i collaborative and m_i semantic tokens of item i. A SID is the first k_i
collaborative codes and then the first m_i semantic ones, each counted within the concatenation of all codebooks.
A SID must not begin another one: the trie could not tell where it ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genrec.sid.codes import PAD
from genrec.sid.kmeans import squared_distances
from genrec.sid.rq_kmeans import RQKMeans

Codes = NDArray[np.int64]
Floats = NDArray[np.float32]
Sid = tuple[int, ...]


@dataclass
class Half:
    """One kind of codes.

    Attributes:
        kind: "cf" or "sem".
        codes: (n, L) codes of all items at all levels.
        counts: (n,) how many of them an item shows.
        latents: (n, d) what was quantised.
        quantiser: the codebooks.
    """

    kind: str
    codes: Codes
    counts: Codes
    latents: Floats
    quantiser: RQKMeans

    @property
    def used_levels(self) -> int:
        """Levels that at least one item shows."""
        return int(self.counts.max())

    def books(self) -> list[tuple[str, int]]:
        """Name and size of every codebook in use."""
        return [(f"{self.kind}_{n}", size) for n, size in enumerate(self.quantiser.codebook_sizes[: self.used_levels])]

    def nearest(self, item: int, codes: Sid) -> Sid:
        """Codes of the level after `codes`, nearest to the item's residual first."""
        level = len(codes)
        padded = np.array([[*codes, *[PAD] * (self.quantiser.num_levels - level)]])
        residual = self.quantiser.residual(self.latents[item : item + 1], padded, level)
        distances = squared_distances(residual, self.quantiser.codebooks[level])[0]
        return tuple(np.argsort(distances, kind="stable").tolist())


class Sids:
    """All SIDs of a catalogue, unique on request.

    Args:
        halves: the collaborative and the semantic half, or one of them; in the order of the tokens.
    """

    def __init__(self, *halves: Half) -> None:
        self.halves = [half for half in halves if half.used_levels > 0]
        self.books = [book for half in self.halves for book in half.books()]
        self._offsets: list[list[int]] = []
        offset = 0
        for half in self.halves:
            self._offsets.append([offset + sum(s for _, s in half.books()[:n]) for n in range(half.used_levels)])
            offset += sum(size for _, size in half.books())

    @property
    def num_items(self) -> int:
        """n."""
        return len(self.halves[0].codes)

    def raw(self, item: int) -> Sid:
        """The SID of an item as the codebooks give it."""
        return self._join([tuple(half.codes[item, : half.counts[item]].tolist()) for half in self.halves])

    def _join(self, parts: list[Sid]) -> Sid:
        """Codes per half as numbers within all codebooks."""
        return tuple(
            offsets[level] + code
            for offsets, part in zip(self._offsets, parts, strict=True)
            for level, code in enumerate(part)
        )

    def alternatives(self, item: int) -> Iterator[Sid]:
        """Other SIDs of the same shape, the last codes changed first, nearer codes before farther ones."""
        parts = [tuple(half.codes[item, : half.counts[item]].tolist()) for half in self.halves]
        places = [(h, level) for h, part in enumerate(parts) for level in range(len(part))]
        last_half, last_level = places[-1]
        for h, level in reversed(places):
            for code in self.halves[h].nearest(item, parts[h][:level]):
                changed = list(parts)
                changed[h] = (*parts[h][:level], code, *parts[h][level + 1 :])
                if (h, level) == (last_half, last_level):
                    yield self._join(changed)
                    continue
                stem = changed[last_half][:last_level]
                for last in self.halves[last_half].nearest(item, stem):
                    yield self._join([*changed[:last_half], (*stem, last)])


def unique_sids(sids: Sids, priority: Codes) -> tuple[list[Sid], dict[str, float | int]]:
    """Give every item a SID that is no other item's and begins no other item's.

    Args:
        sids: raw SIDs and their alternatives.
        priority: (n,) larger keeps its own SID first (popularity); ties by item number.

    Returns:
        n SIDs, and counts: `collision_rate_before`, `items_colliding_before`, `items_moved`.

    Raises:
        ValueError: an item finds no free SID of its shape.
    """
    raw = [sids.raw(item) for item in range(sids.num_items)]
    order = sorted(range(len(raw)), key=lambda i: (-len(raw[i]), -int(priority[i]), i))
    taken = _Taken()
    chosen: dict[int, Sid] = {}
    for item in order:
        if taken.add(raw[item]):
            chosen[item] = raw[item]
    movers = [item for item in order if item not in chosen]
    for item in movers:
        found = next((sid for sid in sids.alternatives(item) if taken.add(sid)), None)
        if found is None:
            raise ValueError(f"item {item} finds no free SID of {len(raw[item])} tokens; raise codebook_size")
        chosen[item] = found
    colliding = _colliding(raw)
    counts = {
        "collision_rate_before": colliding / len(raw),
        "items_colliding_before": colliding,
        "items_moved": len(movers),
    }
    return [chosen[item] for item in range(len(raw))], counts


class _Taken:
    """SIDs in use, with everything that begins one."""

    def __init__(self) -> None:
        self.whole: set[Sid] = set()
        self.beginnings: set[Sid] = set()

    def add(self, sid: Sid) -> bool:
        """Take a SID if it is free; tells whether it was."""
        if sid in self.beginnings or any(sid[:n] in self.whole for n in range(1, len(sid))):
            return False
        self.whole.add(sid)
        self.beginnings.update(sid[:n] for n in range(1, len(sid) + 1))
        return True


def _colliding(raw: list[Sid]) -> int:
    """Items whose SID equals another's, begins one, or continues one."""
    whole: dict[Sid, int] = {}
    for sid in raw:
        whole[sid] = whole.get(sid, 0) + 1
    longer = {sid[:n] for sid in whole for n in range(1, len(sid))}
    clash = {s for s in whole if whole[s] > 1 or s in longer or any(s[:n] in whole for n in range(1, len(s)))}
    return sum(count for sid, count in whole.items() if sid in clash)
