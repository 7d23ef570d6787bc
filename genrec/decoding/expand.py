"""Which trie children may a set of beams move to? The trie as torch tensors, and vectorised expansion.

Legend: B prompts, K beams, C most children among the current nodes, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genrec.decoding.trie import ROOT, Trie


@dataclass(frozen=True)
class TrieTensors:
    """The arrays of a `Trie` on one device (shapes as in `Trie`; on CPU they share its memory)."""

    child_start: Tensor
    child_symbol: Tensor
    leaf_items: Tensor
    leaf_counts: Tensor
    paths: Tensor

    @classmethod
    def of(cls, trie: Trie, device: torch.device) -> TrieTensors:
        """Tensors of a trie, moved to a device once and remembered by the trie."""
        found = trie.device_copies.get(str(device))
        if isinstance(found, TrieTensors):
            return found
        arrays = (trie.child_start, trie.child_symbol, trie.leaf_items, trie.leaf_counts, trie.paths)
        made = cls(*(torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays))
        trie.device_copies[str(device)] = made
        return made


@dataclass(frozen=True)
class Children:
    """Children of a grid of nodes.

    Attributes:
        symbols: (..., C) symbol that leads to each child, 0 where absent.
        nodes: (..., C) node reached, 0 where absent.
        present: (..., C) bool, True where the child exists.
    """

    symbols: Tensor
    nodes: Tensor
    present: Tensor


def children_of_nodes(trie: TrieTensors, nodes: Tensor) -> Children:
    """Children of many nodes, padded to the largest number among them.

    Args:
        trie: the tree.
        nodes: (...) int64 nodes, -1 for "off the tree" (no children).

    Returns:
        Children of shape (..., C), in increasing order of symbol.
    """
    alive = nodes >= 0
    node = nodes.clamp_min(0)
    start = trie.child_start[node].long()
    degree = torch.where(alive, trie.child_start[node + 1] - start, 0)
    slots = torch.arange(max(1, int(degree.max())), device=nodes.device)
    present = slots < degree[..., None]
    edges = torch.where(present, start[..., None] + slots, 0)
    symbols = torch.where(present, trie.child_symbol[edges].long(), 0)
    return Children(symbols, torch.where(present, edges + 1, 0), present)


@dataclass(frozen=True)
class SubCatalogue:
    """The part of a catalogue that a request may list (a category, a price, what is in stock).

    A mask over the one trie, made once per filter and shared by all requests that use it.

    Attributes:
        counts: (N,) allowed items below each node.
        size: allowed items.
    """

    counts: Tensor
    size: int

    @classmethod
    def of(cls, trie: Trie, allowed: NDArray[np.bool_]) -> SubCatalogue:
        """Count the allowed items below every node.

        Args:
            trie: the tree.
            allowed: (num_items,) True where an item may be listed.

        Raises:
            ValueError: the mask has another length than the catalogue.
        """
        if allowed.shape != (trie.num_items,):
            raise ValueError(f"the mask has the shape {allowed.shape}, the catalogue {trie.num_items} items")
        paths = trie.paths[np.flatnonzero(allowed)]
        counts = np.bincount(paths[paths >= 0], minlength=trie.num_nodes).astype(np.int32)
        counts[ROOT] = size = int(allowed.sum())
        return cls(torch.from_numpy(counts), size)


class Exclusion:
    """Nodes below which a prompt may list nothing: beams must never enter them.

    A node dies for a prompt when every item below it is excluded or outside the prompt's sub-catalogue, so a beam is
    never spent on an empty subtree and the search stays exact. Excluded items are stored sparsely, as sorted keys
    `row * num_nodes + node` of the nodes that they kill.
    """

    def __init__(
        self,
        trie: TrieTensors,
        items_per_row: Sequence[Set[int]],
        within: Sequence[SubCatalogue | None] | None = None,
    ) -> None:
        """Count the excluded items below every node that lies on an excluded path.

        Args:
            trie: the tree.
            items_per_row: one set of dense item indices per prompt.
            within: one sub-catalogue per prompt, None for the whole catalogue.

        Raises:
            ValueError: an item outside the catalogue.
        """
        device, self.num_nodes = trie.paths.device, len(trie.leaf_items)
        self._within = [(row, sub.counts.to(device)) for row, sub in enumerate(within or ()) if sub is not None]
        rows = torch.tensor(
            [row for row, items in enumerate(items_per_row) for _ in items], dtype=torch.int64, device=device
        )
        items = torch.tensor([item for row in items_per_row for item in row], dtype=torch.int64, device=device)
        if len(items) and not 0 <= int(items.min()) <= int(items.max()) < len(trie.paths):
            raise ValueError(f"excluded items must be 0..{len(trie.paths) - 1}, got {items.min()}..{items.max()}")
        paths = trie.paths[items].long()  # (excluded, H)
        below = trie.leaf_counts[paths.clamp_min(0)].long()
        for row, counts in self._within:  # what the filter forbids already must not be counted twice
            mine = torch.nonzero(rows == row)[:, 0]
            ends = paths[mine].gather(1, (paths[mine] >= 0).sum(1, keepdim=True) - 1)
            paths[mine] = torch.where(counts[ends] > 0, paths[mine], -1)
            below[mine] = counts[paths[mine].clamp_min(0)].long()
        keep = paths >= 0
        keys, index, counts = torch.unique(
            (rows[:, None] * self.num_nodes + paths)[keep], return_inverse=True, return_counts=True
        )
        limits = torch.zeros_like(keys).scatter_(0, index, below[keep])
        self.dead_keys = keys[counts == limits]

    def dead(self, nodes: Tensor) -> Tensor:
        """Say which nodes are dead.

        Args:
            nodes: (B, ...) nodes, row b belonging to prompt b.

        Returns:
            (B, ...) bool, True where no item below the node may be listed for that prompt.
        """
        dead = torch.zeros_like(nodes, dtype=torch.bool)
        if len(self.dead_keys):
            shape = (-1, *([1] * (nodes.dim() - 1)))
            keys = torch.arange(len(nodes), device=nodes.device).view(shape) * self.num_nodes + nodes
            at = torch.searchsorted(self.dead_keys, keys).clamp_max(len(self.dead_keys) - 1)
            dead = torch.eq(self.dead_keys[at], keys)
        for row, counts in self._within:
            dead[row] |= counts[nodes[row]] == 0
        return dead
