"""Which trie children may a set of beams move to? The trie as torch tensors, and vectorised expansion.

Legend: B prompts, K beams, C most children among the current nodes, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genrec.decoding.trie import Trie


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
    start = trie.child_start[node]
    degree = torch.where(alive, trie.child_start[node + 1] - start, 0)
    slots = torch.arange(max(1, int(degree.max())), device=nodes.device)
    present = slots < degree[..., None]
    edges = torch.where(present, start[..., None] + slots, 0)
    symbols = torch.where(present, trie.child_symbol[edges], 0)
    return Children(symbols, torch.where(present, edges + 1, 0), present)


class Exclusion:
    """Nodes whose items are all excluded, per prompt: beams must never enter them.

    A node dies for a prompt when every item below it is excluded, so a beam is never spent on an empty
    subtree and
    the search stays exact. Stored sparsely as sorted keys `row * num_nodes + node`.
    """

    def __init__(self, trie: TrieTensors, items_per_row: Sequence[Set[int]]) -> None:
        """Count the excluded items below every node that lies on an excluded path.

        Args:
            trie: the tree.
            items_per_row: one set of dense item indices per prompt.

        Raises:
            ValueError: an item outside the catalogue.
        """
        device = trie.paths.device
        rows = [row for row, items in enumerate(items_per_row) for _ in items]
        items = [item for row in items_per_row for item in row]
        if items and not 0 <= min(items) <= max(items) < len(trie.paths):
            raise ValueError(f"excluded items must be 0..{len(trie.paths) - 1}, got {min(items)}..{max(items)}")
        self.num_nodes = len(trie.leaf_items)
        paths = trie.paths[torch.tensor(items, dtype=torch.int64, device=device)]  # (excluded, H)
        row = torch.tensor(rows, dtype=torch.int64, device=device)[:, None]
        keys, counts = torch.unique((row * self.num_nodes + paths)[paths >= 0], return_counts=True)
        self.dead_keys = keys[counts == trie.leaf_counts[keys % self.num_nodes]]

    def dead(self, nodes: Tensor) -> Tensor:
        """Say which nodes are dead.

        Args:
            nodes: (B, ...) nodes, row b belonging to prompt b.

        Returns:
            (B, ...) bool, True where every item below the node is excluded for that prompt.
        """
        if len(self.dead_keys) == 0:
            return torch.zeros_like(nodes, dtype=torch.bool)
        shape = (-1, *([1] * (nodes.dim() - 1)))
        keys = torch.arange(len(nodes), device=nodes.device).view(shape) * self.num_nodes + nodes
        at = torch.searchsorted(self.dead_keys, keys).clamp_max(len(self.dead_keys) - 1)
        return torch.eq(self.dead_keys[at], keys)
