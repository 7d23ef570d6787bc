"""Which symbol may follow a prefix? A prefix tree over the catalogue, held in flat arrays.

Legend: N nodes, E = N - 1 edges, H longest code. Nodes are numbered breadth first and in lexicographic order,
so the
children of a node are neighbours and edge `e` always leads to node `e + 1`: no pointer array is needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

IntArray = NDArray[np.int64]

ROOT = 0
PAD = -1


class Trie:
    """Prefix tree whose complete paths are exactly the codes of the catalogue.

    Attributes:
        child_start: (N + 1,) edges `child_start[v]` up to `child_start[v + 1]` leave node `v`.
        child_symbol: (E,) symbol of each edge, increasing within a node.
        leaf_items: (N,) item that ends at the node, -1 at inner nodes.
        leaf_counts: (N,) number of items below the node (1 at a leaf).
        paths: (num_items, H) nodes that the code of an item passes after the root, -1 padded.

    Source: ours; the CSR layout is what lets beam search step thousands of beams at once.
    """

    def __init__(
        self,
        child_start: IntArray,
        child_symbol: IntArray,
        leaf_items: IntArray,
        leaf_counts: IntArray,
        paths: IntArray,
    ) -> None:
        """Wrap ready arrays; use `Trie.from_codes` to build them."""
        self.child_start = child_start
        self.child_symbol = child_symbol
        self.leaf_items = leaf_items
        self.leaf_counts = leaf_counts
        self.paths = paths
        self.num_symbols = int(child_symbol.max()) + 1
        self.device_copies: dict[str, object] = {}  # filled by genrec.decoding.expand, one entry per device
        parents = np.repeat(np.arange(self.num_nodes, dtype=np.int64), np.diff(child_start))
        self._edge_keys = parents * self.num_symbols + child_symbol  # (E,) increasing: one binary search per step

    @classmethod
    def from_codes(cls, codes: ArrayLike) -> Trie:
        """Build the tree from one code per item.

        Args:
            codes: (num_items, H) non-negative symbols (codes or token ids), shorter codes padded with -1 at
                the end.

        Returns:
            The tree; item `i` is the leaf that row `i` spells.

        Raises:
            ValueError: no item, a code that is empty or has a hole, two equal codes, or a code that is a
            prefix of another.
        """
        table = _checked_codes(codes)
        order = np.lexsort(table.T[::-1])
        paths_sorted, parents, symbols = _number_nodes(table[order])
        _check_unique_ends(table, order)
        paths = np.empty_like(paths_sorted)
        paths[order] = paths_sorted
        num_nodes = len(symbols) + 1
        child_start = np.concatenate([[0], np.cumsum(np.bincount(parents, minlength=num_nodes))]).astype(np.int64)
        leaf_items = np.full(num_nodes, -1, dtype=np.int64)
        last = (table >= 0).sum(axis=1) - 1
        leaf_items[paths[np.arange(len(table)), last]] = np.arange(len(table))
        leaf_counts = np.bincount(paths[paths >= 0], minlength=num_nodes).astype(np.int64)
        leaf_counts[ROOT] = len(table)
        return cls(child_start, symbols, leaf_items, leaf_counts, paths)

    @property
    def num_nodes(self) -> int:
        """Number of nodes, the root included."""
        return len(self.leaf_items)

    @property
    def num_items(self) -> int:
        """Number of items (leaves)."""
        return len(self.paths)

    @property
    def max_depth(self) -> int:
        """Length of the longest code."""
        return int(self.paths.shape[1])

    @property
    def max_children(self) -> int:
        """Largest number of children of any node."""
        return int(np.diff(self.child_start).max())

    def step(self, nodes: ArrayLike, symbols: ArrayLike) -> IntArray:
        """Follow one symbol from many nodes at once.

        Args:
            nodes: (...) nodes; -1 (off the tree) stays -1.
            symbols: (...) symbol to follow from each node.

        Returns:
            (...) the nodes reached, -1 where no such child exists.
        """
        start, symbol = np.broadcast_arrays(np.asarray(nodes, np.int64), np.asarray(symbols, np.int64))
        keys = start * self.num_symbols + symbol
        edges = np.minimum(np.searchsorted(self._edge_keys, keys), len(self._edge_keys) - 1)
        valid = (start >= 0) & (symbol >= 0) & (symbol < self.num_symbols)
        found = valid & (self._edge_keys[edges] == keys)
        return np.where(found, edges + 1, -1).astype(np.int64)

    def node(self, prefix: Sequence[int]) -> int:
        """Node that a prefix leads to, -1 when no code begins with it."""
        node = ROOT
        for symbol in prefix:
            node = int(self.step(node, symbol))
            if node < 0:
                return -1
        return node

    def children_of(self, node: int) -> IntArray:
        """Symbols that may follow at a node, increasing; empty at a leaf and off the tree (-1)."""
        if node < 0:
            return np.empty(0, dtype=np.int64)
        return self.child_symbol[self.child_start[node] : self.child_start[node + 1]]

    def children(self, prefix: Sequence[int]) -> IntArray:
        """Symbols that may follow a prefix, increasing; empty when it is complete or leads nowhere."""
        return self.children_of(self.node(prefix))

    def leaf_item(self, prefix: Sequence[int]) -> int | None:
        """Item whose whole code is `prefix`, None when it is unfinished or leads nowhere."""
        node = self.node(prefix)
        item = int(self.leaf_items[node]) if node >= 0 else -1
        return item if item >= 0 else None


def _checked_codes(codes: ArrayLike) -> IntArray:
    """Codes as an int64 table without useless trailing columns; errors name the item."""
    table = np.asarray(codes)
    if table.ndim != 2 or table.size == 0 or not np.issubdtype(table.dtype, np.integer):
        raise ValueError(
            f"codes must be a non-empty (num_items, H) table of integers, got shape {table.shape}, dtype {table.dtype}"
        )
    table = table.astype(np.int64)
    if table.min() < PAD:
        item = int(np.argwhere(table < PAD)[0, 0])
        raise ValueError(f"item {item} has the symbol {table[item].min()}; symbols are >= 0 and only -1 pads")
    holes = (table[:, 1:] >= 0) & (table[:, :-1] < 0)
    if holes.any() or (table[:, 0] < 0).any():
        item = int(np.argmax(holes.any(axis=1) | (table[:, 0] < 0)))
        raise ValueError(
            f"item {item} has the code {table[item].tolist()}; -1 may only pad the end and no code is empty"
        )
    return table[:, : int((table >= 0).sum(axis=1).max())]


def _number_nodes(sorted_table: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Number the nodes of lexicographically sorted codes breadth first.

    Args:
        sorted_table: (num_items, H) codes in lexicographic order, -1 padded.

    Returns:
        Paths (num_items, H) -1 padded; parents (E,) and symbols (E,) of edge e, which leads to node e + 1.
    """
    num_items, depth = sorted_table.shape
    paths = np.full((num_items, depth), -1, dtype=np.int64)
    above = np.zeros(num_items, dtype=np.int64)
    parents, symbols = [], []
    offset = 1
    for level in range(depth):
        column = sorted_table[:, level]
        real = column >= 0
        new = real.copy()
        new[1:] &= (above[1:] != above[:-1]) | (column[1:] != column[:-1])
        paths[:, level] = np.where(real, offset + np.cumsum(new) - 1, -1)
        parents.append(above[new])
        symbols.append(column[new])
        offset += int(new.sum())
        above = np.where(real, paths[:, level], -1 - np.arange(num_items))
    return paths, np.concatenate(parents), np.concatenate(symbols)


def _check_unique_ends(table: IntArray, order: IntArray) -> None:
    """Raise when a code equals another or begins another; sorted neighbours are enough to see it."""
    first, second = table[order[:-1]], table[order[1:]]
    begins = ((first == second) | (first < 0)).all(axis=1)
    if not begins.any():
        return
    where = int(np.argmax(begins))
    a, b = int(order[where]), int(order[where + 1])
    code = table[a][table[a] >= 0].tolist()
    if (table[a] == table[b]).all():
        raise ValueError(f"items {a} and {b} share the code {code}; make the codes unique (genrec.sid.unique) first")
    raise ValueError(f"the code {code} of item {a} is a prefix of the code of item {b}; add a suffix code to item {a}")
