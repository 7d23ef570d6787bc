"""Where does an item sit when its own codes are taken?

The code space is a tree with a seat per leaf. `Seating` knows which seats are taken and gives newcomers
seats: first within their prefix group, at the least total distortion, then at the nearest prefix with room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import prod

import numpy as np
from numpy.typing import NDArray

from genrec.sid.kmeans import squared_distances
from genrec.sid.rq_kmeans import RQKMeans

Floats = NDArray[np.float32]
Codes = NDArray[np.int64]
Prefix = tuple[int, ...]


class Seating:
    """Taken seats in the code space of a quantiser.

    Args:
        quantiser: codebooks that define distances and the number of seats.
        taken: code tuples (H entries) that are occupied and stay so; repetitions count once.
    """

    def __init__(self, quantiser: RQKMeans, taken: Iterable[Prefix]) -> None:
        self.quantiser = quantiser
        self.sizes = quantiser.codebook_sizes
        self.load: Counter[Prefix] = Counter()
        for codes in set(taken):
            self._take(codes)

    def seat(self, raw: Codes, embeddings: Floats) -> Codes:
        """Seats for newcomers, none twice and none that was taken.

        Args:
            raw: (m, H) the codes they would like.
            embeddings: (m, d).

        Returns:
            (m, H) codes.

        Raises:
            ValueError: fewer free seats than newcomers.
        """
        self._check_room(len(raw))
        codes = raw.copy()
        overflow: list[int] = []
        for prefix, members in _groups(raw[:, :-1]):
            overflow.extend(self._seat_group(prefix, members, codes, embeddings))
        for item in sorted(overflow):
            codes[item] = self._seat_elsewhere(raw[item], embeddings[item])
        return codes

    def _seat_group(self, prefix: Prefix, members: Codes, codes: Codes, embeddings: Floats) -> list[int]:
        """Linear assignment of members to the free last-level codes of their prefix; returns who found none.

        Newcomers who are alone on a free code keep it: they do not collide.
        """
        from scipy.optimize import linear_sum_assignment

        wishes = Counter(codes[members, -1].tolist())
        alone = [i for i in members if wishes[int(codes[i, -1])] == 1 and not self.load[(*prefix, int(codes[i, -1]))]]
        for item in alone:
            self._take((*prefix, int(codes[item, -1])))
        rest = np.setdiff1d(members, alone)
        free = np.array([c for c in range(self.sizes[-1]) if not self.load[(*prefix, c)]], dtype=np.int64)
        if len(rest) == 0 or len(free) == 0:
            return [int(item) for item in rest]
        residual = self.quantiser.residual(embeddings[rest], codes[rest], len(prefix))
        rows, columns = linear_sum_assignment(squared_distances(residual, self.quantiser.codebooks[-1][free]))
        codes[rest[rows], -1] = free[columns]
        for code in free[columns].tolist():
            self._take((*prefix, code))
        return [int(item) for item in np.delete(rest, rows)]

    def _seat_elsewhere(self, raw: Codes, embedding: Floats) -> Codes:
        """Climb to the deepest prefix with room, then descend to the nearest children with room."""
        depth = len(raw) - 1
        while self._is_full(tuple(raw[:depth].tolist())):
            depth -= 1
        path: Prefix = tuple(raw[:depth].tolist())
        while len(path) < len(self.sizes):
            path = (*path, self._nearest_child(path, embedding))
        self._take(path)
        return np.array(path, dtype=np.int64)

    def _nearest_child(self, path: Prefix, embedding: Floats) -> int:
        """The code nearest to the residual after `path` whose subtree has a free seat."""
        level = len(path)
        padded = np.array([[*path, *[-1] * (len(self.sizes) - level)]])
        residual = self.quantiser.residual(embedding[None, :], padded, level)
        distances = squared_distances(residual, self.quantiser.codebooks[level])[0]
        order = np.argsort(distances, kind="stable")
        return next(int(code) for code in order if not self._is_full((*path, int(code))))

    def _is_full(self, prefix: Prefix) -> bool:
        return self.load[prefix] >= prod(self.sizes[len(prefix) :])

    def _take(self, codes: Prefix) -> None:
        for depth in range(len(codes) + 1):
            self.load[codes[:depth]] += 1

    def _check_room(self, newcomers: int) -> None:
        seats = prod(self.sizes)
        if self.load[()] + newcomers > seats:
            raise ValueError(
                f"{self.load[()] + newcomers} items do not fit into {seats} codes {self.sizes}; "
                "raise codebook_size or num_levels"
            )


def _groups(prefixes: Codes) -> list[tuple[Prefix, Codes]]:
    """Item indices by prefix, in lexicographic order of the prefix."""
    if len(prefixes) == 0:
        return []
    if prefixes.shape[1] == 0:
        return [((), np.arange(len(prefixes)))]
    values, inverse, counts = np.unique(prefixes, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(inverse.ravel(), kind="stable")
    members = np.split(order, np.cumsum(counts)[:-1])
    return [(tuple(value), group) for value, group in zip(values.tolist(), members, strict=True)]
