"""Does a chain keep its secret, cite the history and keep its order? Checks of five-stage chains."""

from collections.abc import Iterable, Sequence

from data_synthesis.facts import ItemFacts
from data_synthesis.leaks import leak_reason
from data_synthesis.text import contains, find_run, words
from genrec.data.chains import Chain


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
    rest = without_name(said, [words(form) for form in facts.names.forms(facts.index_of(chain.target))])
    if len(rest) == len(said):
        return "target_not_named"
    return None if cites(facts, rest, chain.history) else "no_anchor"


def cites(facts: ItemFacts, said: Sequence[str], items: Iterable[str]) -> bool:
    """True when the words name one of the items or an attribute of one."""
    for item in map(facts.index_of, items):
        if any(contains(said, words(form)) for form in facts.names.forms(item)):
            return True
        if any(contains(said, key) for key in facts.attributes[item]):
            return True
    return False


def order_check(facts: ItemFacts, chain: Chain) -> str | None:
    """Stage 5 is a subsequence of the history, without the target.

    Returns:
        None, "denoised_unknown" (an item that the history lacks), "denoised_target" (the answer itself) or
        "denoised_order" (items added twice or reordered).
    """
    return kept_reason(chain.history, chain.denoised, chain.target)


def kept_reason(history: Sequence[str], kept: Sequence[str], target: str) -> str | None:
    """Says how a denoised history is none, as in `order_check`."""
    if not set(kept).issubset(history):
        return "denoised_unknown"
    if target and target in kept:
        return "denoised_target"
    rest = iter(history)
    in_order = all(item in rest for item in kept)
    return None if in_order else "denoised_order"


def without_name(said: list[str], forms: Sequence[tuple[str, ...]]) -> list[str]:
    """The words with the first occurrence of the longest named form replaced by a blank word."""
    for form in sorted(forms, key=len, reverse=True):
        at = find_run(said, form)
        if at >= 0:
            return [*said[:at], *said[at + len(form) :]]
    return said
