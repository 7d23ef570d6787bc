"""What record does an audited request leave? Everything needed to produce the same answer again.

Compliance and complaint pages (METHODS 1.5) keep it: input, model, index, settings, every sampled chain with
its answer, and the list that was shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gream.recommend.lists import Recommendation
from gream.recommend.requests import resolve_history
from gream.recommend.sampling import SampledChain, SamplingConfig

if TYPE_CHECKING:
    from gream.recommend.recommender import GreamRecommender


@dataclass(frozen=True)
class Record:
    """A request and its answer.

    Args:
        recommendations: What was shown.
        history: Item ids and titles the request named, oldest first.
        shown: Item ids that fitted into the prompt (the latest `max_history`).
        chains: Every chain with its answer, log-probability and whether it voted.
        settings: Scenario, k, sampling settings: calling again with them gives the same list.
        model: Index hash and the facts of gream.json.
        time: UTC time of the request, ISO 8601.
    """

    recommendations: list[Recommendation]
    history: list[dict[str, str]]
    shown: list[str]
    chains: list[dict[str, Any]]
    settings: dict[str, Any]
    model: dict[str, Any]
    time: str

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return {**asdict(self), "recommendations": [r.to_json() for r in self.recommendations]}


def traced(
    recommender: GreamRecommender,
    history: Sequence[str | int],
    k: int = 10,
    *,
    scenario: str = "compliance",
    sampling: SamplingConfig | None = None,
    num_samples: int = 8,
    exclude_history: bool = False,
) -> Record:
    """Recommend in reasoning mode and keep the record.

    Args:
        recommender: The recommender.
        history: Item ids or dense indices, oldest first.
        k: Items wanted.
        scenario: Name of the page, stored in the record.
        sampling: Settings of the chains.
        num_samples: Chains drawn.
        exclude_history: True never lists an item of the history.

    Returns:
        The record; its list equals `recommend(..., mode="reasoning")` with the same settings.

    Raises:
        ValueError: As `recommend`.
    """
    config = sampling or SamplingConfig()
    chains: list[SampledChain] = []
    shown = recommender.recommend(
        history, k, "reasoning",
        exclude_history=exclude_history, num_samples=num_samples, sampling=replace(config), keep=chains,
    )  # fmt: skip
    items = resolve_history(history, recommender.catalogue)
    catalogue = recommender.catalogue
    return Record(
        recommendations=shown,
        history=[{"item_id": str(catalogue.item_ids[i]), "title": catalogue.titles[i]} for i in items],
        shown=[str(catalogue.item_ids[i]) for i in recommender.runner.formatter.latest(items)],
        chains=[_chain_facts(recommender, chain) for chain in chains],
        settings={
            "scenario": scenario, "mode": "reasoning", "k": k, "num_samples": num_samples,
            "exclude_history": exclude_history, **asdict(config),
        },
        model={**recommender.parts.manifest, "index_hash": recommender.item_codes.hash},
        time=datetime.now(UTC).isoformat(timespec="seconds"),
    )  # fmt: skip


def _chain_facts(recommender: GreamRecommender, chain: SampledChain) -> dict[str, Any]:
    """One sampled chain as JSON values."""
    answer = None if chain.item is None else str(recommender.catalogue.item_ids[chain.item])
    return {
        "text": chain.text, "answer": answer, "log_prob": chain.log_prob,
        "format_ok": chain.format_ok, "tokens": chain.num_tokens,
    }  # fmt: skip
