"""What is in a file? Counts by reject reason, lengths and diversity for the statistics file and the log."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from data_synthesis.core.runner import REPEATED, Outcome
from data_synthesis.facts import ItemFacts
from data_synthesis.masking import distinct_share, mask_chain
from genrec.data.chains import Chain

MIN_DISTINCT_SHARE = 0.9  # of 1,000 chains, after item names are masked
SAMPLE = 1_000  # chains of the diversity rule
STAGES = ("behaviour", "preferences", "intent", "recommendation")


def count_reasons(outcomes: Iterable[Outcome[Any]]) -> dict[str, dict[str, int]]:
    """Counts by reason.

    Returns:
        "events": read, accepted, dropped, and accepted although the wording repeats an earlier one;
        "rejected_attempts": how often each reason rejected an answer; "dropped_events": the reason of
        each event without a record.
    """
    attempts: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    kept_repeated = 0
    total = accepted = 0
    for outcome in outcomes:
        total += 1
        attempts.update(outcome.rejected)
        if outcome.record is None:
            dropped[str(outcome.dropped)] += 1
        else:
            accepted += 1
            kept_repeated += outcome.record.extra.get("attempt") != len(outcome.rejected)
    return {
        "events": {"read": total, "accepted": accepted, "dropped": total - accepted, REPEATED: kept_repeated},
        "rejected_attempts": dict(sorted(attempts.items())),
        "dropped_events": dict(sorted(dropped.items())),
    }


def describe_chains(facts: ItemFacts, chains: Sequence[Chain]) -> dict[str, Any]:
    """Describes chains.

    Args:
        facts: What the catalogue knows.
        chains: At least one chain, in a random order (as `choose_examples` gives it).

    Returns:
        Users, distinct targets, mean words per stage and in all, mean items of the denoised history, counts
        by mode and the share of chains that differ after item names are masked (first 1,000, and all).
    """
    masked = [mask_chain(facts, chain) for chain in chains]
    per_stage = {stage: _mean([len(getattr(chain, stage).split()) for chain in chains]) for stage in STAGES}
    first = distinct_share(masked[:SAMPLE])
    return {
        "chains": len(chains),
        "users": len({chain.user_id for chain in chains}),
        "targets": len({chain.target for chain in chains}),
        "mean_words": {**per_stage, "stages_1_to_4": round(sum(per_stage.values()), 2)},
        "mean_denoised_items": _mean([len(chain.denoised) for chain in chains]),
        "modes": dict(sorted(Counter(str(chain.extra.get("mode")) for chain in chains).items())),
        "distinct_share": {
            "sample": min(SAMPLE, len(chains)),
            "of_sample": round(first, 4),
            "of_all": round(distinct_share(masked), 4),
            "least": MIN_DISTINCT_SHARE,
            "passed": first >= MIN_DISTINCT_SHARE,
        },
    }


def _mean(values: Sequence[int]) -> float:
    return round(sum(values) / len(values), 2)
