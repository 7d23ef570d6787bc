"""What do people think of the reasons? A blind rating sheet, and a key that tells afterwards who wrote what."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from genrec.data.files import read_json, write_json, write_whole

COLUMNS = ("row", "history", "item", "reason", "usefulness 1-5", "fluency 1-5")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_sheet(folder: str | Path, examples: Sequence[Mapping[str, str]], seed: int = 0) -> tuple[Path, Path]:
    """Write rating.csv (shuffled, without the systems' names) and rating_key.json.

    Args:
        folder: where to.
        examples: `system`, `history`, `item` and `reason` each; untrusted text is made harmless for spreadsheets.
        seed: of the order.

    Returns:
        Paths of the sheet and of its key.
    """
    order = np.random.default_rng(seed).permutation(len(examples))
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(COLUMNS)
    for row, place in enumerate(order):
        example = examples[int(place)]
        table.writerow([row, *(_cell(example[name]) for name in ("history", "item", "reason")), "", ""])
    sheet, key = Path(folder) / "rating.csv", Path(folder) / "rating_key.json"
    write_whole(sheet, buffer.getvalue())
    write_json(key, {str(row): examples[int(place)]["system"] for row, place in enumerate(order)})
    return sheet, key


def read_ratings(sheet: str | Path, key: str | Path) -> dict[str, dict[str, float]]:
    """Mean ratings per system of a filled sheet; empty cells do not count.

    Raises:
        ValueError: a rating outside 1 ... 5, or a row the key does not know.
    """
    systems: Mapping[str, str] = read_json(key)
    sums: dict[str, dict[str, list[float]]] = {}
    for line in csv.DictReader(io.StringIO(Path(sheet).read_text(encoding="utf-8"))):
        if line["row"] not in systems:
            raise ValueError(f"row {line['row']!r} of {sheet} is not in {key}; use the key written beside the sheet")
        for column in COLUMNS[-2:]:
            if line[column].strip():
                value = _rating(line[column], line["row"])
                sums.setdefault(systems[line["row"]], {}).setdefault(column.split()[0], []).append(value)
    return {system: {n: sum(v) / len(v) for n, v in found.items()} for system, found in sums.items()}


def _rating(text: str, row: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 1 <= value <= 5:
        raise ValueError(f"row {row}: the rating {text!r} is not a number from 1 to 5")
    return value


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    line = " ".join(text.split())
    return f"'{line}" if line.startswith(_FORMULA) else line
