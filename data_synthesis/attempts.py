"""What happens to one event? Write, check, ask again for another wording, or give up and say why."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from data_synthesis.engines import ChainEngine
from data_synthesis.examples import Example
from data_synthesis.facts import ItemFacts
from data_synthesis.filters import first_failure
from data_synthesis.masking import mask_chain
from genrec.data.chains import Chain

REPEATED = "repeated_wording"


@dataclass(frozen=True)
class Outcome:
    """What became of one event.

    Attributes:
        chain: The accepted chain, or None when the event was dropped.
        rejected: The reason of each rejected attempt, in order.
    """

    chain: Chain | None
    rejected: tuple[str, ...]

    def to_row(self) -> dict[str, Any]:
        """As a journal row."""
        return {"chain": self.chain.to_json() if self.chain else None, "rejected": list(self.rejected)}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> "Outcome":
        """From a journal row."""
        return cls(Chain.from_json(row["chain"]) if row["chain"] else None, tuple(row["rejected"]))


class Writer:
    """Tries wordings until one passes every check and differs from all before it once names are masked.

    A chain that only repeats an earlier masked wording is kept when no attempt does better; a chain that
    fails a check never is.

    Args:
        facts: What the catalogue knows.
        engine: Writes the texts.
        attempts: Most wordings per event.
        earlier: Chains accepted before (by the run that this one resumes).
    """

    def __init__(self, facts: ItemFacts, engine: ChainEngine, attempts: int, earlier: Iterable[Chain] = ()) -> None:
        self.facts = facts
        self.engine = engine
        self.attempts = attempts
        self._seen = {mask_chain(facts, chain) for chain in earlier}

    def write(self, example: Example) -> Outcome:
        """Produces the outcome of one event."""
        rejected: list[str] = []
        spare: Chain | None = None
        for attempt in range(self.attempts):
            chain = self.engine.write(example, attempt)
            reason = first_failure(self.facts, chain)
            masked = mask_chain(self.facts, chain) if reason is None else ""
            if reason is None and masked not in self._seen:
                self._seen.add(masked)
                return Outcome(chain, tuple(rejected))
            spare = spare or (chain if reason is None else None)
            rejected.append(reason or REPEATED)
        return Outcome(spare, tuple(rejected))


def count_reasons(outcomes: Iterable[Outcome]) -> dict[str, dict[str, int]]:
    """Counts by reason.

    Returns:
        "events": read, accepted, dropped, and accepted although the wording repeats an earlier one;
        "rejected_attempts": how often each reason rejected a wording; "dropped_events": the first reason of
        each event without a chain.
    """
    attempts: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    kept_repeated = 0
    total = accepted = 0
    for outcome in outcomes:
        total += 1
        attempts.update(outcome.rejected)
        if outcome.chain is None:
            dropped[outcome.rejected[0]] += 1
        else:
            accepted += 1
            kept_repeated += outcome.chain.extra.get("attempt") != len(outcome.rejected)
    return {
        "events": {"read": total, "accepted": accepted, "dropped": total - accepted, REPEATED: kept_repeated},
        "rejected_attempts": dict(sorted(attempts.items())),
        "dropped_events": dict(sorted(dropped.items())),
    }
