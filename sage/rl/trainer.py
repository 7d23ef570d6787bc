"""How are hit, diversity and cold trained on together? SAGE's mathematics, carried to and from GRPO.

Legend: n completions of this process, N of all, P groups of G, R = 3 objectives.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import ArrayLike, NDArray

from genrec.decoding.constraint import AnswerConstraint
from genrec.posttrain.grpo import RecGRPOTrainer
from genrec.posttrain.rollouts import ScoredRollouts
from sage.advantage import combined_advantage
from sage.items.rows import Speller
from sage.loss import clip_widths, list_entropy
from sage.rl.config import OBJECTIVES, SageRLConfig
from sage.rl.rewards import Spelt, cold_values, diversity_values, hit_values
from sage.sft.trainer import known_trie

logger = logging.getLogger(__name__)
Reward = Callable[..., list[float]]


class SageRLTrainer(RecGRPOTrainer):
    """Sequence-level policy optimisation over three objectives.

    Args:
        model: folder of the SFT model, or the model loaded from it.
        args: configuration.
        train_dataset: rows of `rollout_rows`.
        processing_class: tokenizer.
        speller: names and prompts.
        known: (num_items,) bool, True for items that training may answer with.
        vectors: (num_items, d) item vectors.
        counts: (num_items,) training interactions.
        options: further arguments of `RecGRPOTrainer`.
    """

    def __init__(
        self,
        model: Any,
        args: SageRLConfig,
        train_dataset: Dataset,
        processing_class: Any,
        *,
        speller: Speller,
        known: NDArray[np.bool_],
        vectors: ArrayLike,
        counts: ArrayLike,
        **options: Any,
    ) -> None:
        names = speller.names
        self.spelt = Spelt([names.answer_ids(item) for item in range(len(names))])
        self.objectives = _Objectives(self.spelt, unit_rows(vectors), np.asarray(counts), args)
        constraint = AnswerConstraint(known_trie(names, known), (), (), (), names.end_id)
        super().__init__(
            model,
            self.objectives.functions(),
            args,
            train_dataset,
            processing_class,
            answer_constraint=constraint if args.answer_constraint else None,
            encode_prompts=lambda prompts: [_ids(prompt) for prompt in prompts],
            **options,
        )

    def describe_rollouts(self, rows: list[dict[str, Any]], completions: list[str]) -> dict[str, torch.Tensor]:
        """The answered item of each completion."""
        return {"item": torch.tensor(self.objectives.items, dtype=torch.float64)}

    def adjust_advantages(self, advantages: torch.Tensor, scored: ScoredRollouts) -> torch.Tensor:
        """The objectives normalised per group, weighed and normalised over the batch, in place of the summed reward."""
        rewards = scored.rewards_per_function.T.reshape(len(OBJECTIVES), -1, scored.group_size)
        decided = torch.ones(rewards.shape[:2], dtype=torch.bool, device=rewards.device)
        decided[0] = (rewards[0] >= 1).any(-1)  # a group without a hit ranks misses by their texts alone
        a = self.args
        combined = combined_advantage(rewards, a.objective_weights, a.normalise_batch, decided=decided)
        return combined.flatten()[scored.rows].to(advantages)

    def rollout_columns(self, scored: ScoredRollouts) -> dict[str, torch.Tensor]:
        """Entropy of the list that a completion belongs to."""
        entropy = list_entropy(scored.facts["item"].view(-1, scored.group_size))
        spread = entropy.repeat_interleave(scored.group_size)[scored.rows]
        return {"list_entropy": spread.float().to(self.accelerator.device)}

    def clip_widths(self, inputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Asymmetric, entropy-dependent bounds; the plain ones in evaluation and when both extras are off."""
        a = self.args
        if "list_entropy" not in inputs or not (a.eps_boost or a.widen):
            return None
        return clip_widths(inputs["advantages"], inputs["list_entropy"], a.epsilon, a.eps_boost, a.widen)

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train, and say so when no ratio ever left its bounds: then ratio and bounds have changed nothing."""
        result = super().train(*args, **kwargs)
        share = clipped_share(self.state.log_history)
        if share == 0.0 and self.accelerator.is_main_process:
            logger.warning(
                "no ratio was clipped in %d steps: raise steps_per_generation %d, num_iterations %d or learning_rate",
                self.state.global_step, self.args.steps_per_generation, self.args.num_iterations,
            )  # fmt: skip
        return result

    def rollout_metrics(self, drawn: ScoredRollouts, kept: ScoredRollouts) -> dict[str, float]:
        """Hits, entropy and distinct items of the groups as drawn."""
        items = drawn.facts["item"].view(-1, drawn.group_size)
        means = drawn.rewards_per_function.nanmean(0).tolist()
        return {
            **{f"objective/{name}": value for name, value in zip(OBJECTIVES, means, strict=True)},
            "list_entropy": float(list_entropy(items).mean()),
            "distinct_items": sum(len(set(row)) for row in items.tolist()) / len(items),
            "hit_rate": float((drawn.rewards_per_function[:, 0] >= 1).float().mean()),
        }


class _Objectives:
    """The three rewards as TRL wants them; the items are read once per batch.

    Args:
        spelt: reads completions.
        unit: (num_items, d).
        counts: (num_items,).
        args: configuration.
    """

    def __init__(self, spelt: Spelt, unit: NDArray[np.float64], counts: NDArray[Any], args: SageRLConfig) -> None:
        self.spelt, self.unit, self.counts, self.args = spelt, unit, counts, args
        self.items: list[int] = []

    def functions(self) -> list[Reward]:
        """Reward functions in the order of `OBJECTIVES`; TRL's log names them by these."""

        def hit(completion_ids: Sequence[Sequence[int]], target: Sequence[int], **_: Any) -> list[float]:
            self.items = [self.spelt.item(ids) for ids in completion_ids]
            return hit_values(self.items, target, self.unit, self.args.near_hit).tolist()

        def diversity(completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float]:
            size = int(self.args.num_generations or 1)
            return diversity_values(
                self.items, self.unit, size if len(self.items) % size == 0 else len(self.items)
            ).tolist()

        def cold(completion_ids: Sequence[Sequence[int]], target: Sequence[int], **_: Any) -> list[float]:
            return cold_values(self.items, target, self.unit, self.counts).tolist()

        return [hit, diversity, cold]


def rollout_rows(pairs: Sequence[tuple[Sequence[int], int]], speller: Speller) -> Dataset:
    """Prompts with the true next item.

    Args:
        pairs: (history, next item), from training interactions only.
        speller: names and prompts.

    Returns:
        Table with `prompt` (token ids as text, read back by the trainer) and `target` (dense item).
    """
    prompts = [" ".join(map(str, speller.prompt(history))) for history, _ in pairs]
    return Dataset.from_dict({"prompt": prompts, "target": [int(target) for _, target in pairs]})


def clipped_share(history: Sequence[dict[str, Any]]) -> float | None:
    """Mean share of ratios outside their bounds over the logs of a training; None where it was not logged."""
    found = [float(row["clip_ratio/region_mean"]) for row in history if "clip_ratio/region_mean" in row]
    return sum(found) / len(found) if found else None


def unit_rows(vectors: ArrayLike) -> NDArray[np.float64]:
    """Vectors (num_items, d) of length 1; zero vectors stay zero."""
    table = np.asarray(vectors, dtype=np.float64)
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    return np.divide(table, norms, out=np.zeros_like(table), where=norms > 0)


def _ids(prompt: str) -> list[int]:
    return [int(token) for token in prompt.split()]
