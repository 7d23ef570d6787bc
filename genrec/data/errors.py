"""What happens when an input is bad? One error type that names the place, or a counted skip."""

from __future__ import annotations

import json
import logging
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from genrec.data.files import write_whole

logger = logging.getLogger(__name__)

OnError = Literal["raise", "skip"]
MAX_VALUE_CHARS = 120  # an error shows the start of a bad value, never a whole review


class DataError(ValueError):
    """A user's input cannot be used; the message names file, line, value and remedy."""


def describe(
    what: str, *, file: str | Path | None = None, line: int | None = None, value: Any = None, remedy: str = ""
) -> str:
    """Compose the message of a `DataError`.

    Args:
        what: What is wrong, as a sentence without a full stop.
        file: The file it was found in.
        line: The 1-based line (row, for Parquet) it was found at.
        value: The offending value; shown shortened.
        remedy: What the user can do.

    Returns:
        "file, line 7: what (value: 'x'). Remedy: ..."
    """
    place = ", ".join([str(file)] * (file is not None) + [f"line {line}"] * (line is not None))
    shown = "" if value is None else f" (value: {repr(value)[:MAX_VALUE_CHARS]})"
    return f"{place}: " * bool(place) + what + shown + "." + f" Remedy: {remedy}." * bool(remedy)


@dataclass
class SkipLog:
    """Decides between raising and skipping, and remembers each skipped row.

    Attributes:
        on_error: "raise" stops at the first bad row, "skip" leaves it out and goes on.
        rows: One dictionary per skipped row: kind, file, line, value, what.
    """

    on_error: OnError = "raise"
    rows: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Reject an unknown policy before any file is read."""
        if self.on_error not in ("raise", "skip"):
            raise ValueError(f"on_error is {self.on_error!r}; use 'raise' or 'skip'")

    def bad(
        self,
        kind: str,
        what: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        value: Any = None,
        remedy: str = "",
    ) -> None:
        """Report one bad row.

        Args:
            kind: A short name that rows are counted by, such as "null_id".
            what: What is wrong.
            file: File of the row.
            line: 1-based line of the row.
            value: The offending value.
            remedy: What the user can do apart from skipping.

        Raises:
            DataError: If the policy is "raise".
        """
        if self.on_error == "raise":
            remedy = f"{remedy}, or pass on_error='skip'" if remedy else "pass on_error='skip'"
            raise DataError(describe(what, file=file, line=line, value=value, remedy=remedy))
        shown = None if value is None else repr(value)[:MAX_VALUE_CHARS]
        self.rows.append(
            {
                "kind": kind,
                "file": None if file is None else str(file),
                "line": line,
                "value": shown,
                "what": what,
            }
        )

    def by_kind(self) -> dict[str, int]:
        """Count the skipped rows per kind."""
        return dict(Counter(row["kind"] for row in self.rows))

    def write(self, path: str | Path) -> None:
        """Write the skipped rows, one JSON object a line, and log how many there were."""
        write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows))
        logger.warning("skipped %d rows %s; listed in %s", len(self.rows), self.by_kind(), path)
