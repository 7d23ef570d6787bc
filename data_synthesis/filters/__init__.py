"""May this record be trained on? Every filter by name; each failure has a reason that is counted."""

from collections.abc import Callable, Sequence

from data_synthesis.facts import ItemFacts
from data_synthesis.filters.chains import anchor_check, leak_check, order_check, stage_check
from data_synthesis.filters.near import near_duplicates
from data_synthesis.filters.texts import (
    FilterOptions,
    history_check,
    items_exist_check,
    kept_check,
    language_check,
    length_check,
    markup_check,
    quotes_check,
    reason_check,
    refusal_check,
    subject_check,
    text_check,
)
from data_synthesis.records import Record, kind_of, whole_text

__all__ = [
    "CHECKS_OF",
    "FILTERS",
    "FilterOptions",
    "anchor_check",
    "first_failure",
    "leak_check",
    "mark_repeats",
    "order_check",
    "stage_check",
]

Check = Callable[[ItemFacts, Record, FilterOptions], str | None]


def _of_chain(check: Callable[..., str | None]) -> Check:
    """A check of chains, which has no options, as one of any record."""
    return lambda facts, record, options: check(facts, record)


FILTERS: dict[str, Check] = {
    "items_exist": items_exist_check,
    "stages": _of_chain(stage_check),
    "texts": text_check,
    "refusal": refusal_check,
    "markup": markup_check,
    "length": length_check,
    "language": language_check,
    "leak": _of_chain(leak_check),
    "quotes": quotes_check,
    "anchor": _of_chain(anchor_check),
    "order": _of_chain(order_check),
    "subject": subject_check,
    "history": history_check,
    "reason": reason_check,
    "kept": kept_check,
}
_ANY = ("refusal", "markup", "length", "language")
CHECKS_OF: dict[str, tuple[str, ...]] = {
    "cot": ("items_exist", "stages", "leak", *_ANY, "quotes", "anchor", "order"),
    "items": ("items_exist", "texts", *_ANY, "subject"),
    "users": ("items_exist", "texts", *_ANY, "quotes", "history"),
    "preferences": ("items_exist", "texts", *_ANY, "quotes", "history"),
    "rewrite": ("items_exist", "texts", *_ANY, "quotes", "kept"),
    "reasons": ("items_exist", "texts", *_ANY, "quotes", "reason"),
}


def first_failure(facts: ItemFacts, record: Record, options: FilterOptions | None = None) -> str | None:
    """The reason of the first failed check, or None for a record that may be trained on."""
    options = options or FilterOptions()
    checks = (FILTERS[name] for name in CHECKS_OF[kind_of(record)])
    return next((reason for check in checks if (reason := check(facts, record, options))), None)


def mark_repeats(records: Sequence[Record], threshold: float) -> list[bool]:
    """Per record whether it nearly repeats an earlier one ("near_duplicate"); none does for threshold 0."""
    if not threshold:
        return [False] * len(records)
    return near_duplicates([whole_text(record) for record in records], threshold)
