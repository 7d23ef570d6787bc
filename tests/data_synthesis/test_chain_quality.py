"""Chains are varied and informative: a reader of stages 1-3 finds the target, but not in a swapped chain."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from data_synthesis.config import CotConfig
from data_synthesis.cot import synthesize_chains
from data_synthesis.facts import ItemFacts
from data_synthesis.masking import distinct_share, mask_chain
from data_synthesis.swap import swap_chains
from data_synthesis.text import words
from genrec.data import Dataset
from genrec.data.chains import Chain, read_chains


class Reader:
    """Ranks items by the weight of the attributes and telling words that stages 1 to 3 mention."""

    def __init__(self, facts: ItemFacts) -> None:
        self.facts = facts
        holders: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for item, found in enumerate(facts.attributes):
            for key in {*found, *((word,) for word in facts.telling[item])}:
                holders[key].append(item)
        self.holders = {key: np.array(items) for key, items in holders.items()}

    def finds(self, chain: Chain, k: int) -> bool:
        """True when the target is among the k best items outside the history; ties count against it."""
        scores = np.zeros(len(self.facts.item_ids))
        for stage in (chain.behaviour, chain.preferences, chain.intent):
            said = words(stage)
            for run in {said[a:b] for a in range(len(said)) for b in range(a + 1, a + 5)}:
                weight = self.facts.weight.get(run) or self.facts.word_weight.get(run[0], 0.0)
                if run in self.holders:
                    scores[self.holders[run]] += weight
        target = self.facts.index_of(chain.target)
        scores[[i for i in map(self.facts.index_of, chain.history) if i != target]] = -1
        return bool(scores[target] > 0 and (scores >= scores[target]).sum() <= k)


def _chains(dataset: Dataset, folder: Path, config: CotConfig) -> tuple[ItemFacts, list[Chain]]:
    out = folder / "chains.jsonl"
    synthesize_chains(dataset, config, out, progress=False)
    return ItemFacts(dataset.catalogue), read_chains(out)


def _share(reader: Reader, chains: list[Chain], k: int) -> float:
    return sum(reader.finds(chain, k) for chain in chains) / len(chains)


@pytest.mark.parametrize("style", ["compact", "full"])
def test_swapping_chains_of_the_toy_shop_lowers_the_readers_hits(toy: Dataset, tmp_path: Path, style: str) -> None:
    facts, chains = _chains(toy, tmp_path, CotConfig(max_chains=300, per_user=3, style=style))  # type: ignore[arg-type]
    reader = Reader(facts)
    own, swapped = _share(reader, chains, 10), _share(reader, swap_chains(chains, 0), 10)
    assert own > 2 * swapped
    assert own > 0.3


@pytest.mark.parametrize("style", ["compact", "full"])
def test_real_chains_are_varied_checked_and_informative(real_data: Dataset, tmp_path: Path, style: str) -> None:
    facts, chains = _chains(real_data, tmp_path, CotConfig(max_chains=1_000, style=style))  # type: ignore[arg-type]
    assert len(chains) > 980
    assert distinct_share([mask_chain(facts, chain) for chain in chains]) >= 0.9
    reader = Reader(facts)
    own, swapped = _share(reader, chains[:400], 50), _share(reader, swap_chains(chains[:400], 0), 50)
    assert own > 2 * swapped
    if style == "compact":
        lengths = [len(f"{c.behaviour} {c.preferences} {c.intent} {c.recommendation}".split()) for c in chains]
        assert sum(lengths) / len(lengths) < 30
        assert max(len(chain.denoised) for chain in chains) <= 4
