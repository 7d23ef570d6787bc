"""What is in a file of chains? Counts, lengths and diversity for the statistics file and the log."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from data_synthesis.facts import ItemFacts
from data_synthesis.filters import MIN_DISTINCT_SHARE
from data_synthesis.masking import distinct_share, mask_chain
from genrec.data.chains import Chain

SAMPLE = 1_000  # chains of the diversity rule
STAGES = ("behaviour", "preferences", "intent", "recommendation")


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
