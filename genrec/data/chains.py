"""What does a reasoning chain look like on disk? The schema that synthesis writes and training reads."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from genrec.data.catalogue import Catalogue
from genrec.data.errors import DataError, describe
from genrec.data.texts import read_rows, write_rows

STAGES = ("behaviour", "preferences", "intent", "recommendation", "denoised")


@dataclass
class Chain:
    """One five-stage chain of reasoning about one training target.

    Attributes:
        user_id: Whose history it is.
        history: Item ids that the teacher was shown, oldest first.
        target: Item id that was bought next (a training interaction).
        behaviour: Stage 1, evidence: what the user did.
        preferences: Stage 2: what the user likes.
        intent: Stage 3: what the user is after now.
        recommendation: Stage 4: why the target fits; the first stage that may reveal it.
        denoised: Stage 5: item ids of the history that matter, oldest first.
        teacher: Who wrote it, such as "offline" or a model name.
        extra: Anything else, such as scores of filters.
    """

    user_id: str
    history: list[str]
    target: str
    behaviour: str
    preferences: str
    intent: str
    recommendation: str
    denoised: list[str]
    teacher: str
    extra: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """This chain as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str | bytes, *, file: str | Path | None = None, number: int | None = None) -> Chain:
        """Parse one line of JSON and check the type of each field.

        Args:
            line: The JSON text.
            file: File to name in an error.
            number: Line to name in an error.

        Returns:
            The chain.

        Raises:
            DataError: If the line is not JSON, or a field is missing, unknown or of the wrong type.
        """
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(describe(f"the chain is not JSON ({error})", file=file, line=number)) from error
        return _from_row(row, file, number)


_KINDS: dict[str, type] = {"history": list, "denoised": list, "extra": dict}


def _from_row(row: Any, file: str | Path | None, number: int | None) -> Chain:
    """Check a parsed line field by field."""
    if not isinstance(row, dict):
        raise DataError(describe("a chain must be a JSON object", file=file, line=number, value=row))
    names = [f.name for f in fields(Chain)]
    missing = [name for name in names if name not in row and name != "extra"]
    unknown = [name for name in row if name not in names]
    if missing or unknown:
        what = f"chain fields missing: {missing}, unknown: {unknown}"
        raise DataError(describe(what, file=file, line=number, remedy=f"the fields are {', '.join(names)}"))
    for name, value in row.items():
        kind = _KINDS.get(name, str)
        parts = value if isinstance(value, list) else []
        if not isinstance(value, kind) or not all(isinstance(part, str) for part in parts):
            wanted = "list of str" if kind is list else kind.__name__
            raise DataError(describe(f"chain field '{name}' must be a {wanted}", file=file, line=number, value=value))
    return Chain(**row)


def read_chains(path: str | Path) -> list[Chain]:
    """Read a file of chains: JSON lines, plain or gzipped, or Parquet.

    Args:
        path: The file.

    Returns:
        The chains in file order.

    Raises:
        DataError: Names file, line and field of the first bad chain.
    """
    return [_from_row(row, path, number) for number, row in read_rows(path)]


def write_chains(path: str | Path, chains: Iterable[Chain]) -> None:
    """Write chains atomically, as JSON lines or (name ends in .parquet) as Parquet."""
    write_rows(path, chains)


def validate(chain: Chain, catalogue: Catalogue, *, line: int | None = None) -> None:
    """Check that a chain is complete and speaks of items that exist.

    Args:
        chain: The chain.
        catalogue: The items it may name.
        line: Line of its file, for the message.

    Raises:
        DataError: Names line and field: an empty stage, an unknown item, an empty history, or a denoised
            item that is not in the history.
    """
    for name in ("behaviour", "preferences", "intent", "recommendation", "teacher"):
        if not getattr(chain, name).strip():
            raise DataError(describe(f"chain field '{name}' is empty", line=line, value=chain.user_id))
    if not chain.history:
        raise DataError(describe("chain field 'history' is empty", line=line, value=chain.user_id))
    named: dict[str, list[str]] = {
        "history": chain.history,
        "target": [chain.target],
        "denoised": chain.denoised,
    }
    for field_name, ids in named.items():
        for item in ids:
            try:
                catalogue.index_of(item)
            except DataError as error:
                raise DataError(describe(f"chain field '{field_name}': {error}", line=line, value=item)) from error
    strangers = [item for item in chain.denoised if item not in chain.history]
    if strangers:
        what = "chain field 'denoised' names items that are not in the history"
        raise DataError(describe(what, line=line, value=strangers))
