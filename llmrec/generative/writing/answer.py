"""What must a written list look like? JSON: items by id, each with a reason. Read strictly, from untrusted text.

{"items": [{"item_id": "B001", "reason": "..."}]}
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MAX_CHARACTERS = 40_000
MAX_REASON = 600
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"item_id": {"type": "string"}, "reason": {"type": "string"}},
                "required": ["item_id", "reason"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["items"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Reasoned:
    """One item of a list, by the catalogue's id, and why."""

    item_id: str
    reason: str


def parse_answer(text: str, most: int = 50) -> list[Reasoned]:
    """Read a model's answer.

    Args:
        text: what the model wrote; words around the JSON object are allowed.
        most: items kept.

    Returns:
        Items in the order written, an item that comes again left out.

    Raises:
        ValueError: no JSON object with a list `items` of objects with the texts `item_id` and `reason`.
    """
    found = _object(text[:MAX_CHARACTERS])
    rows = found.get("items") if isinstance(found, dict) else None
    if not isinstance(rows, list):
        raise ValueError(f"the answer holds no JSON object with a list 'items': {text[:80]!r}")
    kept: dict[str, Reasoned] = {}
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or not all(isinstance(row.get(k), str) for k in ("item_id", "reason")):
            raise ValueError(f"item {number} of the answer lacks the texts 'item_id' and 'reason': {str(row)[:80]}")
        kept.setdefault(row["item_id"], Reasoned(row["item_id"], " ".join(row["reason"].split())[:MAX_REASON]))
    return list(kept.values())[:most]


def write_answer(rows: Iterable[Reasoned]) -> str:
    """The JSON that `parse_answer` reads, on one line."""
    return json.dumps({"items": [vars(row) for row in rows]}, ensure_ascii=False)


def _object(text: str) -> Any:
    """First JSON object of a text, None without one."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            found, _ = decoder.raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError):
            start = text.find("{", start + 1)
            continue
        return found
    return None
