"""Is the model better than before, on validation users? The scores that choose the weights of each stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from genrec.data.split import Targets
from genrec.metrics.ranking import ndcg_at_k, ranks_from_lists, recall_at_k
from genrec.posttrain.validation import Scores
from gream.evaluate.reasoning import expected_hits
from gream.recommend import GreamRecommender
from gream.recommend.sampling import SamplingConfig
from gream.srpo.rewards import common_prefix_length
from gream.training import VALIDATION_SEED, StageModel

Validate = Callable[[Any], Scores]
DIRECT, REASONING = "NDCG@10", "Pass@1_expected"  # what chooses the weights


def live_recommender(stage: StageModel, model: Any) -> GreamRecommender:
    """A recommender around the weights as they are now."""
    return GreamRecommender(replace(stage.parts, model=model))


def direct_validation(stage: StageModel) -> Validate:
    """NDCG@10 and Recall@10 of direct mode on the fixed validation sample."""
    a, targets = stage.arguments, _sample(stage)

    def validate(model: Any) -> Scores:
        items, _ = live_recommender(stage, model).rank_direct(targets.histories, k=10, num_beams=a.num_beams)
        ranks = ranks_from_lists(items, targets.targets)
        return {"NDCG@10": ndcg_at_k(ranks, 10), "Recall@10": recall_at_k(ranks, 10)}

    return validate


def reasoning_validation(stage: StageModel) -> Validate:
    """Pass@1 of sampled chains, and what it is in expectation over the answers behind these chains.

    A hundred users give a handful of hits, too few to choose weights by. `Pass@1_expected` replaces each drawn answer
    by the probability of the target behind its chain (0 where the output has not the trained form): the same mean with
    far less noise. Source: ours (Rao-Blackwell over the answer).
    """
    a, targets = stage.arguments, _sample(stage)
    codes = stage.parts.item_codes.codes
    sampling = SamplingConfig(temperature=0.7, top_p=0.9, max_new_tokens=a.max_new_tokens, seed=VALIDATION_SEED)

    def validate(model: Any) -> Scores:
        recommender = live_recommender(stage, model)
        chains = recommender.sample_chains(targets.histories, a.validation_samples, sampling)
        rows = [(chain, user) for user, drawn in enumerate(chains) for chain in drawn]
        judged = [(chain, int(targets.targets[user])) for chain, user in rows]
        prefix = [0 if c.item is None else _common_prefix(codes[c.item], codes[t]) for c, t in judged]
        return {
            "Pass@1_expected": float(expected_hits(recommender, targets, chains, sampling).mean()),
            "Pass@1": sum(c.format_ok and c.item == t for c, t in judged) / len(rows),
            "prefix_length": sum(prefix) / len(rows),
            "format_rate": sum(c.format_ok for c, _ in rows) / len(rows),
        }

    return validate


def both_validations(stage: StageModel) -> Validate:
    """Reasoning and direct scores together."""
    reasoning, direct = reasoning_validation(stage), direct_validation(stage)
    return lambda model: {**reasoning(model), **direct(model)}


def _sample(stage: StageModel) -> Targets:
    """The fixed validation users."""
    return stage.workspace.split.valid.sample(stage.arguments.validation_users, VALIDATION_SEED)


def _common_prefix(generated: Any, target: Any) -> int:
    """Codes that agree from the first on."""
    return common_prefix_length([int(c) for c in generated if c >= 0], [int(c) for c in target if c >= 0])
