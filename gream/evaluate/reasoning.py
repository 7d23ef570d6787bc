"""How good is reasoning mode? Pass@k over a fixed sample of users.

Legend: u users of the sample, n chains per user. A sample counts as a hit when its output has the trained
form and its answer is the target.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.split import Targets
from genrec.metrics.passk import expected_pass_values, pass_table, pass_values
from genrec.metrics.ranking import exact_mean
from genrec.metrics.uncertainty import mean_ci
from gream.evaluate.chain_worth import chain_figures

if TYPE_CHECKING:
    from gream.recommend import GreamRecommender, SampledChain
    from gream.recommend.sampling import SamplingConfig


@dataclass
class ReasoningResult:
    """Reasoning mode, judged.

    Attributes:
        row: One row of metrics.json.
        samples: u lists of n sampled chains.
        hits: (u, n) True where a sample is the target.
        expected: (u, n) probability of the target behind each sampled chain, None where it was not asked for.
    """

    row: dict[str, Any]
    samples: list[list[SampledChain]] = field(repr=False)
    hits: NDArray[np.bool_] = field(repr=False)
    expected: NDArray[np.float64] | None = field(default=None, repr=False)


def evaluate_reasoning(
    recommender: GreamRecommender,
    targets: Targets,
    *,
    num_samples: int = 4,
    temperature: float = 0.7,
    top_p: float = 0.9,
    max_new_tokens: int = 96,
    constrained: bool = True,
    expect: bool = True,
    swap: bool = True,
    ks: Sequence[int] = (1, 5, 10),
    batch_size: int = 64,
    system: str = "GREAM",
    stage: str = "",
    seed: int = 0,
    progress: bool = False,
) -> ReasoningResult:
    """Draw n chains per user and judge their answers.

    Args:
        recommender: The checkpoint.
        targets: The sample, u questions (a claim needs at least 1,000).
        num_samples: n.
        temperature: Of the draw; 0.7 in the paper.
        top_p: Nucleus; 0.9 in the paper.
        max_new_tokens: Longest chain and answer.
        constrained: True lets only existing items follow a closed chain, so no answer can be invalid;
            False samples freely and the invalid share says how often no such item exists.
        expect: Also compute `Pass@k_expected`: the probability of the target behind each chain in the place of the
            drawn answer. The same mean as Pass@k with far less noise; needs `constrained`.
        swap: Also answer behind each user's own chain and behind another user's (a chain that matters must
            lower Pass@1 when it is not one's own).
        ks: Cut-offs of Pass@k; those above n are left out.
        batch_size: Completions per batch.
        system: Row label.
        stage: Row label.
        seed: Of the draw.
        progress: Show a bar.

    Returns:
        The row, the chains and the hits.

    Raises:
        ValueError: There is no user to judge.
    """
    if len(targets) == 0:
        raise ValueError("there is no user to evaluate: the sample of targets is empty")
    from gream.recommend.sampling import SamplingConfig

    config = SamplingConfig(temperature, top_p, max_new_tokens, seed)
    started = time.perf_counter()
    samples = recommender.sample_chains(
        targets.histories,
        num_samples,
        config,
        constrained=constrained,
        batch_size=batch_size,
        progress=progress,
    )
    seconds = time.perf_counter() - started
    hits = hit_table(samples, targets.targets)
    row: dict[str, Any] = {"system": system, "stage": stage, "mode": "reasoning", "seed": seed}
    row |= {"n_users": len(targets), "n_samples": num_samples, "constrained": constrained}
    row |= pass_figures(hits, np.array([[s.log_prob for s in user] for user in samples]), ks)
    row |= sample_figures(samples, seconds)
    expected = expected_hits(recommender, targets, samples, config, batch_size) if expect and constrained else None
    if expected is not None:
        row |= expected_pass_figures(expected, ks)
    if swap:
        row |= chain_figures(recommender, targets, [user[0].chain for user in samples], batch_size)
    return ReasoningResult(row, samples, hits, expected)


def expected_hits(
    recommender: GreamRecommender,
    targets: Targets,
    samples: Sequence[Sequence[SampledChain]],
    config: SamplingConfig,
    batch_size: int = 64,
) -> NDArray[np.float64]:
    """Probability that the answer behind each sampled chain is the target.

    Args:
        recommender: The checkpoint.
        targets: u questions.
        samples: n samples of each.
        config: Temperature and nucleus of the draw.
        batch_size: Prompts per forward pass.

    Returns:
        (u, n); 0 where the output has not the trained form, as in `hit_table`.

    Source: ours (Rao-Blackwell over the answer).
    """
    found = np.zeros((len(samples), len(samples[0]) if samples else 0))
    places = [(u, s) for u, user in enumerate(samples) for s, sample in enumerate(user) if sample.format_ok]
    if places:
        users = [u for u, _ in places]
        found[tuple(np.array(places).T)] = recommender.answer_probabilities(
            [targets.histories[u] for u in users],
            [samples[u][s].chain for u, s in places],
            [int(targets.targets[u]) for u in users],
            config,
            batch_size,
        )
    return found


def hit_table(samples: Sequence[Sequence[SampledChain]], targets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark samples that are the target, (u, n) bool; an output without the trained form never is."""
    pairs = zip(samples, targets, strict=True)
    return np.array([[s.format_ok and s.item == target for s in user] for user, target in pairs], dtype=bool)


def pass_figures(hits: NDArray[np.bool_], log_probs: NDArray[np.float64], ks: Sequence[int]) -> dict[str, float]:
    """Pass@k both ways, their means, and the interval of Pass@1.

    Args:
        hits: (u, n) True where a sample is the target.
        log_probs: (u, n) sequence log-probabilities.
        ks: Cut-offs; those above n are left out.

    Returns:
        `Pass@k`, `Pass@k_ranked`, `Pass@mean`, `Pass@mean_ranked`, `Pass@1_low`, `Pass@1_high`.
    """
    table = pass_table(hits, log_probs, ks)
    for ending in ("", "_ranked"):
        values = [v for name, v in table.items() if name.endswith("_ranked") == bool(ending)]
        table[f"Pass@mean{ending}"] = exact_mean(values)
    interval = mean_ci(pass_values(hits, 1))
    return {**table, "Pass@1_low": interval.low, "Pass@1_high": interval.high}


def expected_pass_figures(expected: NDArray[np.float64], ks: Sequence[int]) -> dict[str, float]:
    """Pass@k from the probabilities (u, n) of the target, and their mean: `Pass@k_expected`, `Pass@mean_expected`."""
    cuts = [k for k in ks if k <= expected.shape[1]]
    table = {f"Pass@{k}_expected": exact_mean(expected_pass_values(expected, k)) for k in cuts}
    return {**table, "Pass@mean_expected": exact_mean(list(table.values()))}


def sample_figures(samples: Sequence[Sequence[SampledChain]], seconds: float) -> dict[str, float]:
    """Form of the outputs.

    Args:
        samples: u lists of n chains.
        seconds: Time of the draw.

    Returns:
        Share with the trained form, share of answers that name no item of the catalogue, distinct items per
        user, mean tokens, tokens per second.
    """
    flat = [sample for user in samples for sample in user]
    answered = [s for s in flat if s.answered]
    distinct = [len({s.item for s in user if s.item is not None}) for user in samples]
    tokens = sum(s.num_tokens for s in flat)
    return {
        "format_rate": exact_mean([float(s.format_ok) for s in flat]),
        "answered": len(answered),
        "invalid": sum(s.item is None for s in answered),
        "invalid_share": sum(s.item is None for s in answered) / max(1, len(answered)),
        "distinct_items": exact_mean(distinct),
        "chain_tokens": tokens / len(flat),
        "seconds": round(seconds, 2),
        "tokens_per_second": round(tokens / seconds, 1),
    }
