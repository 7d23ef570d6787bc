"""May this chain be trained on? Named checks of one chain; each failure has a reason that is counted."""

from collections.abc import Callable, Sequence

from data_synthesis.facts import ItemFacts
from data_synthesis.leaks import leak_reason
from data_synthesis.masking import distinct_share, mask_chain, mask_item_names
from data_synthesis.text import contains, find_run, words
from genrec.data.chains import Chain

__all__ = [
    "CHECKS",
    "MIN_DISTINCT_SHARE",
    "anchor_check",
    "distinct_share",
    "first_failure",
    "leak_check",
    "mask_chain",
    "mask_item_names",
    "order_check",
    "stage_check",
]

MIN_DISTINCT_SHARE = 0.9  # of 1,000 chains, after item names are masked
Check = Callable[[ItemFacts, Chain], str | None]


def stage_check(facts: ItemFacts, chain: Chain) -> str | None:
    """Every stage says something: "empty_<stage>" otherwise."""
    for stage in ("behaviour", "preferences", "intent", "recommendation", "denoised"):
        text = getattr(chain, stage)
        if not text or (isinstance(text, str) and not words(text)):
            return f"empty_{stage}"
    return None


def leak_check(facts: ItemFacts, chain: Chain) -> str | None:
    """Nothing before stage 4 reveals the target; reasons as in `leaks.leak_reason`."""
    before = " | ".join((chain.behaviour, chain.preferences, chain.intent))
    history = [facts.index_of(item) for item in chain.history]
    return leak_reason(facts, before, facts.index_of(chain.target), history)


def anchor_check(facts: ItemFacts, chain: Chain) -> str | None:
    """Stage 4 names the target and cites the history.

    Returns:
        None when the text names the target and, outside that name, a history item or an attribute of one;
        else "target_not_named" or "no_anchor".
    """
    said = list(words(chain.recommendation))
    rest = _without(said, [words(form) for form in facts.names.forms(facts.index_of(chain.target))])
    if len(rest) == len(said):
        return "target_not_named"
    for item in (facts.index_of(item_id) for item_id in chain.history):
        if any(contains(rest, words(form)) for form in facts.names.forms(item)):
            return None
        if any(contains(rest, key) for key in facts.attributes[item]):
            return None
    return "no_anchor"


def order_check(facts: ItemFacts, chain: Chain) -> str | None:
    """Stage 5 is a subsequence of the history, without the target.

    Returns:
        None, "denoised_unknown" (an item that the history lacks), "denoised_target" (the answer itself) or
        "denoised_order" (items added twice or reordered).
    """
    if not set(chain.denoised).issubset(chain.history):
        return "denoised_unknown"
    if chain.target in chain.denoised:
        return "denoised_target"
    rest = iter(chain.history)
    in_order = all(item in rest for item in chain.denoised)
    return None if in_order else "denoised_order"


CHECKS: dict[str, Check] = {
    "stages": stage_check,
    "leak": leak_check,
    "anchor": anchor_check,
    "order": order_check,
}


def first_failure(facts: ItemFacts, chain: Chain) -> str | None:
    """The reason of the first failed check, or None for a chain that may be trained on."""
    return next((reason for check in CHECKS.values() if (reason := check(facts, chain))), None)


def _without(said: list[str], forms: Sequence[tuple[str, ...]]) -> list[str]:
    """The words with the first occurrence of the longest named form replaced by a blank word."""
    for form in sorted(forms, key=len, reverse=True):
        at = find_run(said, form)
        if at >= 0:
            return [*said[:at], *said[at + len(form) :]]
    return said
