"""Which symbol may follow a prefix? A prefix tree over the catalogue, held in flat arrays.

Legend: N nodes, E = N - 1 edges, H longest code. Nodes are numbered breadth first and in lexicographic order,
so the
children of a node are neighbours and edge `e` always leads to node `e + 1`: no pointer array is needed. All arrays
are int32: 16 bytes a node and 4 H bytes an item, up to 2 billion nodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from genrec.data.files import read_json, write_array, write_json
from genrec.decoding.trie_nodes import (
    PAD,
    ROOT,
    IntArray,
    SmallArray,
    check_unique_ends,
    checked_codes,
    count_leaves,
    number_nodes,
)

__all__ = ["PAD", "ROOT", "Trie"]

FORMAT = "genrec.trie/1"
MANIFEST = "trie.json"
ARRAYS = ("child_start", "child_symbol", "leaf_items", "leaf_counts", "paths")


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
        child_start: SmallArray,
        child_symbol: SmallArray,
        leaf_items: SmallArray,
        leaf_counts: SmallArray,
        paths: SmallArray,
    ) -> None:
        """Wrap ready arrays; use `Trie.from_codes` to build them."""
        self.child_start = child_start
        self.child_symbol = child_symbol
        self.leaf_items = leaf_items
        self.leaf_counts = leaf_counts
        self.paths = paths
        self.num_symbols = int(child_symbol.max()) + 1
        self._halvings = int(np.diff(child_start).max()).bit_length()  # of a binary search among the children
        self.device_copies: dict[str, object] = {}  # filled by genrec.decoding.expand, one entry per device

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
        table = checked_codes(codes)
        order = np.lexsort(table.T[::-1])
        paths_sorted, parents, symbols = number_nodes(table[order])
        check_unique_ends(table, order)
        paths = np.empty_like(paths_sorted)
        paths[order] = paths_sorted
        del paths_sorted
        num_nodes = len(symbols) + 1
        child_start = np.zeros(num_nodes + 1, dtype=np.int32)
        np.cumsum(np.bincount(parents, minlength=num_nodes), out=child_start[1:])
        leaf_items = np.full(num_nodes, -1, dtype=np.int32)
        last = (table >= 0).sum(axis=1) - 1
        leaf_items[paths[np.arange(len(table)), last]] = np.arange(len(table))
        return cls(child_start, symbols, leaf_items, count_leaves(paths, num_nodes), paths)

    def extended(self, codes: ArrayLike) -> Trie:
        """A tree that also holds new items; searches under way keep the old one, so a server swaps without a stop.

        Args:
            codes: (m, H) symbols of the new items, -1 padded; they become items num_items .. num_items + m - 1.

        Returns:
            A new tree; this one is unchanged.

        Raises:
            ValueError: a code is taken, or what `from_codes` refuses.
        """
        new = checked_codes(codes)
        old = self.codes()
        width = max(old.shape[1], new.shape[1])
        table = np.full((len(old) + len(new), width), PAD, dtype=np.int32)
        table[: len(old), : old.shape[1]], table[len(old) :, : new.shape[1]] = old, new
        return Trie.from_codes(table)

    def codes(self) -> SmallArray:
        """The codes (num_items, H) that the tree was built from, -1 padded."""
        return np.where(self.paths >= 0, self.child_symbol[np.maximum(self.paths, 1) - 1], PAD).astype(np.int32)

    def save(self, folder: str | Path) -> Path:
        """Write the arrays into a folder, as files that `load` maps into memory.

        Args:
            folder: Made when missing.

        Returns:
            The folder.
        """
        folder = Path(folder)
        for name in ARRAYS:
            write_array(folder / f"{name}.npy", getattr(self, name))
        facts = {"format": FORMAT, "num_items": self.num_items, "num_nodes": self.num_nodes}
        write_json(folder / MANIFEST, facts)  # last: a folder that was cut off has none
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> Trie:
        """Open a saved tree without reading it: pages come from the file when touched, and processes share them.

        Args:
            folder: What `save` wrote.

        Raises:
            ValueError: the folder holds no whole tree of this format.
        """
        folder = Path(folder)
        if not (folder / MANIFEST).is_file():
            raise ValueError(f"'{folder}' holds no {MANIFEST}: no trie, or one that was cut off; save it again")
        facts = read_json(folder / MANIFEST)
        if facts.get("format") != FORMAT:
            raise ValueError(f"'{folder}' has the format {facts.get('format')!r}, expected {FORMAT!r}; save it again")
        tree = cls(*(np.load(folder / f"{name}.npy", mmap_mode="c") for name in ARRAYS))  # "c": nothing is written back
        if (tree.num_items, tree.num_nodes) != (facts["num_items"], facts["num_nodes"]):
            raise ValueError(f"'{folder}' holds arrays of different trees; save it again")
        return tree

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
        alive = start >= 0
        low = self.child_start[np.where(alive, start, 0)].astype(np.int64)
        end = np.where(alive, self.child_start[np.where(alive, start, 0) + 1], low)
        high = end
        for _ in range(self._halvings):
            middle = (low + high) // 2
            smaller = (low < high) & (self.child_symbol[np.minimum(middle, len(self.child_symbol) - 1)] < symbol)
            low, high = np.where(smaller, middle + 1, low), np.where(smaller, high, middle)
        edges = np.minimum(low, len(self.child_symbol) - 1)
        found = (low < end) & (self.child_symbol[edges] == symbol)
        return np.where(found, edges + 1, -1).astype(np.int64)

    def node(self, prefix: Sequence[int]) -> int:
        """Node that a prefix leads to, -1 when no code begins with it."""
        node = ROOT
        for symbol in prefix:
            node = self.child(node, int(symbol))
        return node

    def child(self, node: int, symbol: int) -> int:
        """The node that one symbol leads to, -1 when there is none."""
        if node < 0:
            return -1
        start, end = int(self.child_start[node]), int(self.child_start[node + 1])
        edge = start + int(np.searchsorted(self.child_symbol[start:end], symbol))
        return edge + 1 if edge < end and self.child_symbol[edge] == symbol else -1

    def children_of(self, node: int) -> IntArray:
        """Symbols that may follow at a node, increasing; empty at a leaf and off the tree (-1)."""
        if node < 0:
            return np.empty(0, dtype=np.int64)
        return self.child_symbol[self.child_start[node] : self.child_start[node + 1]].astype(np.int64)

    def children(self, prefix: Sequence[int]) -> IntArray:
        """Symbols that may follow a prefix, increasing; empty when it is complete or leads nowhere."""
        return self.children_of(self.node(prefix))

    def leaf_item(self, prefix: Sequence[int]) -> int | None:
        """Item whose whole code is `prefix`, None when it is unfinished or leads nowhere."""
        node = self.node(prefix)
        item = int(self.leaf_items[node]) if node >= 0 else -1
        return item if item >= 0 else None
