"""How does SRPO train? Prefix rewards, the Pass@K bonus and its metrics, carried to and from GRPO.

Source: seed 003 and arXiv 2510.20815, METHODS 1.4. The advantage is TRL's (eps 1e-4) with the bonus added.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from datasets import Dataset

from genrec.decoding.constraint import AnswerConstraint
from genrec.decoding.trie import Trie
from genrec.posttrain.grpo import RecGRPOTrainer
from genrec.posttrain.rollouts import ScoredRollouts
from gream.srpo.advantage import bonus
from gream.srpo.config import SRPOConfig
from gream.srpo.metrics import ZeroVarianceWatch, answer_metrics, outcome_facts
from gream.srpo.rewards import ParsedAnswer, PrefixReward

THINK_END, ANSWER_OPEN, ANSWER_CLOSE = "</think>", "<answer>", "</answer>"


class SRPOTrainer(RecGRPOTrainer):
    """GRPO on verifiable prefix rewards with a bonus for groups that hold rare exact hits.

    Args:
        model: folder of the merged SFT model, or the model loaded from it.
        args: configuration.
        train_dataset: rows with `prompt` (templated text) and `target` (SID codes of the true item).
        processing_class: the backbone's tokenizer with SID tokens.
        parse: decoded completion -> object with `.codes` and `.format_ok` (pure; `Formatter.parse`).
        trie: prefix tree over token ids, needed for `answer_constraint="trie"`.
        vocabulary: SID vocabulary, checked to survive TRL's decoding.
        nominal_levels: levels before the suffix, for indexes with `collisions="suffix"`.
        options: further arguments of `GRPOTrainer`.

    Raises:
        ValueError: rows without targets, tokens that would vanish from decoded completions, missing tags.
    """

    def __init__(
        self,
        model: Any,
        args: SRPOConfig,
        train_dataset: Dataset,
        processing_class: Any,
        parse: Callable[[str], ParsedAnswer],
        *,
        trie: Trie | None = None,
        vocabulary: Any = None,
        nominal_levels: int | None = None,
        **options: Any,
    ) -> None:
        check_visible_tokens(processing_class, vocabulary)
        if "target" not in (getattr(train_dataset, "column_names", None) or []):
            raise ValueError("train_dataset needs a column 'target' with the SID codes of the true item (list of int)")
        self.reward = PrefixReward(parse, args.reward_exponent, nominal_levels)
        self.watch = ZeroVarianceWatch()
        constraint = answer_constraint(processing_class, trie) if args.answer_constraint and trie else None
        super().__init__(
            model, self.reward, args, train_dataset, processing_class, answer_constraint=constraint, **options
        )

    def describe_rollouts(self, rows: list[dict[str, Any]], completions: list[str]) -> dict[str, torch.Tensor]:
        """Hit, format, prefix length and answered item of every completion; see `outcome_facts`."""
        return outcome_facts(self.reward.outcomes(completions, [row["target"] for row in rows]))

    def adjust_advantages(self, advantages: torch.Tensor, scored: ScoredRollouts) -> torch.Tensor:
        """Add the Pass@K bonus, counted over whole groups."""
        if not self.args.bonus:
            return advantages
        hits = scored.facts["hit"].view(-1, scored.group_size) > 0
        extra = bonus(hits, self.args.bonus_k).flatten()[scored.rows]
        return advantages + extra.to(advantages)

    def rollout_metrics(self, drawn: ScoredRollouts, kept: ScoredRollouts) -> dict[str, float]:
        """Answer metrics of the policy as drawn, and the hit rate of what is trained on."""
        if self.model.training:
            self.watch.update(float(drawn.flat.float().mean()))
        return {
            **answer_metrics(drawn.facts, drawn.group_size),
            "kept/hit_rate": float(kept.facts["hit"].mean()),
        }


def answer_constraint(tokenizer: Any, trie: Trie) -> AnswerConstraint:
    """Constraint `<free chain></think><answer>SID</answer><eos>` for a tokenizer.

    Args:
        tokenizer: tokenizer that has the tags as tokens of their own.
        trie: prefix tree over token ids.

    Returns:
        The constraint.

    Raises:
        ValueError: a tag is not one token.
    """
    ids = {tag: tokenizer.encode(tag, add_special_tokens=False) for tag in (THINK_END, ANSWER_OPEN, ANSWER_CLOSE)}
    if len(ids[THINK_END]) != 1:
        raise ValueError(
            f"the trie constraint needs '{THINK_END}' as one token, the tokenizer splits it into "
            f"{ids[THINK_END]}; extend the tokenizer (genrec.sid.vocabulary.extend_tokenizer) before "
            "training"
        )
    return AnswerConstraint(trie, ids[THINK_END][0], ids[ANSWER_OPEN], ids[ANSWER_CLOSE], tokenizer.eos_token_id)


def check_visible_tokens(tokenizer: Any, vocabulary: Any) -> None:
    """Check that SID tokens and tags survive decoding with `skip_special_tokens=True`, as TRL decodes.

    Args:
        tokenizer: the tokenizer.
        vocabulary: object with `tokens()`, None to check the tags only.

    Raises:
        ValueError: one of them is a special token, named in the message.
    """
    wanted = {"<think>", THINK_END, ANSWER_OPEN, ANSWER_CLOSE, *(vocabulary.tokens() if vocabulary else [])}
    hidden = sorted(wanted & set(tokenizer.all_special_tokens))
    if hidden:
        raise ValueError(
            f"{len(hidden)} tokens are special and would vanish from decoded completions, for instance "
            f"'{hidden[0]}'; add them as ordinary tokens (genrec.sid.vocabulary.extend_tokenizer)"
        )
