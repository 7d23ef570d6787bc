"""What is in a finished file, and does it pass today's filters? The commands `show` and `check`."""

import argparse
import itertools
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from data_synthesis.core.runner import NEAR_DUPLICATE
from data_synthesis.facts import ItemFacts
from data_synthesis.filters import FilterOptions, first_failure, mark_repeats
from data_synthesis.options import settings
from data_synthesis.records import Record, kept_of, kind_of, read_records, texts_of
from genrec.data.load import load_dataset

REJECTED = 5


def check(options: argparse.Namespace) -> int:
    """Counts what each filter rejects in a file.

    Returns:
        Exit code: 0 when every row passes, 5 otherwise.
    """
    records = read_records(options.file)
    facts = ItemFacts(load_dataset(options.data).catalogue)
    reasons = failures(facts, records, settings(options, FilterOptions))
    counts = Counter(reason for reason in reasons if reason)
    print(f"{options.file}: {len(records):,} rows, {sum(counts.values()):,} rejected")
    for reason, count in sorted(counts.items()):
        print(f"  {reason:<24}{count:>8,}   first in row {reasons.index(reason) + 1}")
    return REJECTED if counts else 0


def failures(facts: ItemFacts, records: Sequence[Record], options: FilterOptions) -> list[str | None]:
    """The reason why each record is rejected, or None; near-duplicates are looked for among the others.

    Chains of the offline teacher are templates and not compared with each other.
    """
    reasons = [first_failure(facts, record, options) for record in records]
    rest = [
        at
        for at, reason in enumerate(reasons)
        if reason is None and not records[at].teacher.startswith("offline-rules")
    ]
    marks = mark_repeats([records[at] for at in rest], options.near_duplicates)
    for at in itertools.compress(rest, marks):
        reasons[at] = NEAR_DUPLICATE
    return reasons


def show(options: argparse.Namespace) -> int:
    """Prints the first rows of a file.

    Returns:
        Exit code 0.
    """
    for number, record in enumerate(_first(options.file, options.count), start=1):
        print(f"--- {number}: {readable(record)}", file=sys.stdout)
    return 0


def readable(record: Record) -> str:
    """A record as lines of text; control characters are shown as escapes."""
    who = getattr(record, "user_id", None) or getattr(record, "subject", "")
    lines = [f"{kind_of(record)} of {who} by {record.teacher}"]
    lines += [f"history: {', '.join(record.history)}"] if record.history else []
    lines += [f"target: {record.target}"] if record.target else []
    lines += [f"{name}: {text}" for name, text in texts_of(record).items()]
    lines += [f"kept: {', '.join(kept_of(record))}"] if kept_of(record) else []
    plain = ("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line) for line in lines)
    return "\n  ".join(plain)


def _first(path: Path, count: int) -> list[Record]:
    if count < 1:
        raise ValueError(f"show needs a number of rows above 0, got {count}")
    return read_records(path)[:count]
