"""Which stretch of a history goes into which row, and which of its items are targets?

Expanding every prefix into its own row repeats the history again and again. A packed row shows up to
`max_history + 1` items once and supervises each of them from the items before it; causal attention makes the
contexts the same.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Chunk:
    """One row's part of a history, as positions (0 is the oldest item).

    Args:
        start: first item shown.
        stop: one past the last item shown.
        first_target: first item that is a target; every later item of the row is one too.
    """

    start: int
    stop: int
    first_target: int

    @property
    def num_items(self) -> int:
        """Number of items shown."""
        return self.stop - self.start

    @property
    def num_targets(self) -> int:
        """Number of items that are targets."""
        return self.stop - self.first_target


def pack_history(length: int, max_history: int, overlap: int) -> list[Chunk]:
    """Cut a history into packed rows.

    Args:
        length: number of items.
        max_history: longest context of a target, in items.
        overlap: shortest context of a target after the first row, in items.

    Returns:
        Rows of at most `max_history + 1` items in which every item but the first is a target exactly once.
        A history of up to `max_history + 1` items is one row. Fewer than two items give none.

    Raises:
        ValueError: when overlap is not in 1..max_history.

    Source: ours, because the issue fixes what must hold (each target once) and not the stride.
    """
    if not 1 <= overlap <= max_history:
        raise ValueError(f"overlap is {overlap} but must lie in 1..{max_history} (max_history)")
    chunks: list[Chunk] = []
    first_target = 1
    while first_target < length:
        start = 0 if not chunks else first_target - overlap
        stop = min(length, start + max_history + 1)
        chunks.append(Chunk(start, stop, first_target))
        first_target = stop
    return chunks


def expand_history(length: int, max_history: int) -> list[Chunk]:
    """Give every item but the first its own row, with the latest `max_history` items before it as context."""
    return [Chunk(max(0, target - max_history), target + 1, target) for target in range(1, length)]
