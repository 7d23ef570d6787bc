"""Which items come next for this history? The object that users open.

Legend: k list length, n samples per history. Items are dense indices.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from gream.recommend.batch import BatchRanker
from gream.recommend.folder import load_parts, save_recommender
from gream.recommend.lists import Ranked, Recommendation, beam_row, merge, vote
from gream.recommend.requests import check_k, resolve_history
from gream.recommend.sampling import SampledChain, SamplingConfig
from gream.recommend.scenario import MODES, Mode, scenario_of

logger = logging.getLogger(__name__)

Decode = Literal["sample", "greedy_beam"]
REASONED_IN_MIXED = 3  # m of METHODS 1.5


class GreamRecommender(BatchRanker):
    """A trained checkpoint with its index, catalogue and prompts.

    Args:
        parts: What a recommender folder holds.

    Example:
        >>> recommender = GreamRecommender.from_pretrained("runs/demo/srpo")  # doctest: +SKIP
        >>> recommender.recommend(["50", "181"], k=5, mode="reasoning")  # doctest: +SKIP
    """

    @classmethod
    def from_pretrained(cls, folder: str | Path, **kwargs: Any) -> GreamRecommender:
        """Open a folder that a stage of the recipes (or `save_recommender`) wrote.

        Args:
            folder: The folder, or the id of one on the Hugging Face hub.
            kwargs: `index`, `dtype`, `device` of `gream.recommend.folder.load_parts`.

        Returns:
            The recommender.

        Raises:
            ValueError: The folder is incomplete or its parts come from different runs.
        """
        return cls(load_parts(folder, **kwargs))

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write the folder that `from_pretrained` opens; returns it."""
        p = self.parts
        return save_recommender(folder, p.model, p.tokenizer, p.item_codes, p.catalogue, p.prompt_config, p.manifest)

    def recommend(
        self,
        history: Sequence[str | int],
        k: int = 10,
        mode: Mode = "direct",
        *,
        exclude_history: bool = False,
        num_beams: int | None = None,
        decode: Decode = "sample",
        num_samples: int = 8,
        sampling: SamplingConfig | None = None,
        keep: list[SampledChain] | None = None,
    ) -> list[Recommendation]:
        """Recommend k items.

        Args:
            history: Item ids (str) or dense indices (int), oldest first.
            k: Items wanted.
            mode: "direct" (trie beam), "reasoning" (chain first) or "mixed" (3 reasoned, the rest direct).
            exclude_history: True never lists an item of the history.
            num_beams: Beam width; None means max(k, 20). A beam below k is widened to k.
            decode: In reasoning mode: "sample" (several chains vote) or "greedy_beam" (one greedy chain, then
                a trie beam behind it).
            num_samples: Chains drawn with decode="sample".
            sampling: Temperature, nucleus, budget and seed of the chains.
            keep: The sampled chains are appended here (the record of an audited request).

        Returns:
            Exactly k different items of the catalogue, best first.

        Raises:
            ValueError: Empty history, unknown item, unknown mode, or k beyond the catalogue.
        """
        items = resolve_history(history, self.catalogue)
        check_k(k, len(self.catalogue), len(set(items)) if exclude_history else 0)
        if mode not in MODES:
            raise ValueError(f"mode '{mode}' does not exist; choose one of {', '.join(MODES)}")
        config = sampling or SamplingConfig()
        beams = max(num_beams or 20, k)
        if mode == "direct":
            return self._titled(self._direct(items, k, beams, exclude_history))
        samples = self._draw(items, decode, num_samples, config)
        if keep is not None:
            keep.extend(samples)
        return self.list_from_samples(items, samples, k, mode, beams, exclude_history)

    def recommend_for(self, scenario: str, history: Sequence[str | int], k: int = 10, **kwargs: Any) -> Any:
        """Recommend in the mode that the page's row of `SCENARIOS` names.

        Args:
            scenario: Key of `SCENARIOS`, e.g. "home_feed".
            history: As in `recommend`.
            k: Items wanted.
            kwargs: Further arguments of `recommend` (or of `gream.recommend.trace.traced`).

        Returns:
            The recommendations, and the record of the request or None.
        """
        from gream.recommend.trace import traced

        row = scenario_of(scenario)
        if row.trace:
            record = traced(self, history, k, scenario=scenario, **kwargs)
            return record.recommendations, record.to_json()
        return self.recommend(history, k, row.mode, **kwargs), None

    def _direct(self, items: list[int], k: int, beams: int, exclude: bool) -> list[Ranked]:
        found, scores = self.rank_direct([items], k, beams, exclude)
        return beam_row(found[0].tolist(), scores[0].tolist())

    def _draw(self, items: list[int], decode: Decode, n: int, config: SamplingConfig) -> list[SampledChain]:
        if decode == "greedy_beam":
            return self.sample_chains([items], 1, replace(config, temperature=0.0), close=True)[0]
        if decode != "sample":
            raise ValueError(f"decode '{decode}' does not exist; choose 'sample' or 'greedy_beam'")
        return self.sample_chains([items], n, config, close=True)[0]

    def list_from_samples(
        self,
        items: list[int],
        samples: list[SampledChain],
        k: int,
        mode: Mode = "reasoning",
        num_beams: int = 20,
        exclude_history: bool = False,
    ) -> list[Recommendation]:
        """Make a list out of chains that were drawn already.

        Args:
            items: History as dense items.
            samples: Chains of this history; a single one is followed by a trie beam instead of a vote.
            k: Items wanted.
            mode: "reasoning" or "mixed".
            num_beams: Beam width where a beam fills places that the votes leave open.
            exclude_history: True never lists an item of the history.

        Returns:
            k recommendations.
        """
        return self._titled(self._with_chains(items, samples, k, mode, max(num_beams, k), exclude_history))

    def _with_chains(
        self, items: list[int], samples: list[SampledChain], k: int, mode: Mode, beams: int, exclude: bool
    ) -> list[Ranked]:
        """Votes first; what they leave open comes from a beam behind the best chain, or from direct mode."""
        barred = set(items) if exclude else set()
        wanted = min(k, REASONED_IN_MIXED) if mode == "mixed" else k
        answers = [(s.item, s.log_prob, s.chain) for s in samples]
        reasoned, chain = vote(answers, wanted, lambda item: item not in barred)
        if len(reasoned) < wanted:
            found, scores = self.rank_after_chains([items], [chain], wanted, beams, exclude)
            reasoned = merge(reasoned, beam_row(found[0].tolist(), scores[0].tolist(), chain), wanted)
        if mode == "reasoning":
            return reasoned
        return merge(reasoned, self._direct(items, k, beams, exclude), k)

    def _titled(self, ranked: list[Ranked]) -> list[Recommendation]:
        return [
            Recommendation(
                item_id=str(self.catalogue.item_ids[entry.item]),
                title=self.catalogue.titles[entry.item],
                score=entry.score,
                reason=entry.chain,
                item=entry.item,
                sid=self.runner.sid_text(entry.item),
                votes=entry.votes,
                source=entry.source,
            )
            for entry in ranked
        ]
