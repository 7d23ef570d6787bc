"""How many tokens does an alignment data set cost, and how many does packing save?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gream.alignment.packing import Chunk
from gream.alignment.sequences import chunks_of


@dataclass(frozen=True)
class Cost:
    """Size of one way to lay out the same targets.

    Args:
        rows: number of rows.
        tokens: tokens of all rows, padding not counted.
        targets: tokens that carry loss.
    """

    rows: int = 0
    tokens: int = 0
    targets: int = 0


def packing_counts(
    lengths: Iterable[int],
    *,
    max_history: int = 20,
    overlap: int | None = None,
    sid_length: int = 4,
    prompt_tokens: int = 20,
) -> dict[str, Any]:
    """Compare packed with expanded rows without building them.

    Args:
        lengths: training items per user.
        max_history: longest context, in items.
        overlap: shortest context after the first row of a long history; None means half of `max_history`.
        sid_length: tokens of an SID.
        prompt_tokens: tokens of the user turn and the opening of the assistant turn.

    Returns:
        {"packed": {rows, tokens, targets}, "expanded": {...}, "ratio": packed tokens / expanded tokens}.
    """
    lengths = list(lengths)
    overlap = max(1, max_history // 2) if overlap is None else overlap
    costs = {
        name: _cost(
            [c for n in lengths for c in chunks_of(n, max_history, packed, overlap)],
            sid_length,
            prompt_tokens,
        )
        for name, packed in (("packed", True), ("expanded", False))
    }
    ratio = costs["packed"].tokens / costs["expanded"].tokens if costs["expanded"].tokens else 1.0
    return {**{name: asdict(cost) for name, cost in costs.items()}, "ratio": ratio}


def _cost(chunks: Sequence[Chunk], sid_length: int, prompt_tokens: int) -> Cost:
    """Add up rows, tokens and target tokens."""
    tokens = sum(prompt_tokens + chunk.num_items * sid_length for chunk in chunks)
    return Cost(len(chunks), tokens, sum(chunk.num_targets for chunk in chunks) * sid_length)


def row_counts(rows: Any) -> dict[str, dict[str, int]]:
    """Count rows, tokens and targets of a built table per task, and in total under "all".

    Args:
        rows: table with `task`, `input_ids` and `completion_mask`.
    """
    found: dict[str, list[int]] = {"all": [0, 0, 0]}
    for task, mask in zip(rows["task"], rows["completion_mask"], strict=True):
        for name in (task, "all"):
            entry = found.setdefault(name, [0, 0, 0])
            entry[0], entry[1], entry[2] = entry[0] + 1, entry[1] + len(mask), entry[2] + int(sum(mask))
    return {name: asdict(Cost(*entry)) for name, entry in found.items()}
