"""What do chains and other texts have in common? One view of both, for filters and statistics."""

from collections.abc import Iterable
from pathlib import Path

from genrec.data.chains import Chain, read_chains
from genrec.data.texts import TextRecord, read_rows, read_texts

Record = Chain | TextRecord


def kind_of(record: Record) -> str:
    """The command that writes such records."""
    return "cot" if isinstance(record, Chain) else record.kind


def texts_of(record: Record) -> dict[str, str]:
    """The written texts by name, in reading order."""
    if isinstance(record, TextRecord):
        return record.texts
    names = ("behaviour", "preferences", "intent", "recommendation")
    return {name: getattr(record, name) for name in names}


def kept_of(record: Record) -> list[str]:
    """Item ids of the denoised history."""
    return record.denoised if isinstance(record, Chain) else record.kept


def items_of(record: Record) -> list[str]:
    """Every item id that the record may speak of: history, target, and the item it describes."""
    own = [record.subject] if isinstance(record, TextRecord) and record.kind == "items" else []
    return [*record.history, *([record.target] if record.target else []), *own]


def whole_text(record: Record) -> str:
    """All texts, joined."""
    return " ".join(texts_of(record).values())


def read_records(path: str | Path) -> list[Record]:
    """Reads a file of chains or of texts; its first row tells which.

    Raises:
        DataError: Names file, row and field of the first bad row.
    """
    rows = read_rows(path)
    is_chains = bool(rows) and "behaviour" in rows[0][1]
    return list(read_chains(path) if is_chains else read_texts(path))


def count_words(records: Iterable[Record]) -> dict[str, float]:
    """Mean words per text name."""
    totals: dict[str, list[int]] = {}
    for record in records:
        for name, text in texts_of(record).items():
            totals.setdefault(name, []).append(len(text.split()))
    return {name: round(sum(sizes) / len(sizes), 2) for name, sizes in totals.items()}
