"""How good is an answer? A verifiable reward that grows with the correct prefix of the semantic ID.

Source: seed 003 and arXiv 2510.20815 (residual-sensitive verifiable reward), METHODS 1.4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isinf
from typing import Any, Protocol

WRONG_SUFFIX_REWARD = 0.95


class ParsedAnswer(Protocol):
    """What the reward needs from a parsed completion."""

    @property
    def codes(self) -> tuple[int, ...] | None:
        """SID codes of the answer, None when there is none."""

    @property
    def format_ok(self) -> bool:
        """True when the whole completion has the required format."""


@dataclass(frozen=True)
class Outcome:
    """Judgement of one completion.

    Args:
        codes: answered SID codes, None when the completion does not parse.
        format_ok: True when the completion has the required format.
        prefix_length: number of leading codes that agree with the target.
        hit: True when the answer is exactly the target.
        reward: reward in [0, 1].
    """

    codes: tuple[int, ...] | None
    format_ok: bool
    prefix_length: int
    hit: bool
    reward: float


def common_prefix_length(generated: Sequence[int], target: Sequence[int]) -> int:
    """Number of leading codes in which both agree."""
    for level, (left, right) in enumerate(zip(generated, target, strict=False)):
        if left != right:
            return level
    return min(len(generated), len(target))


def prefix_reward(
    generated: Sequence[int] | None,
    target: Sequence[int],
    exponent: float = 0.5,
    nominal_levels: int | None = None,
) -> float:
    """Reward `(l / H)^exponent` of a generated SID, `l` the common prefix with the target and `H` its length.

    Args:
        generated: answered codes, None when the output did not parse.
        target: codes of the true item.
        exponent: the paper's beta; smaller values reward short prefixes more, `inf` rewards exact answers
            only.
        nominal_levels: number of levels before a collision suffix, for indexes built with
            `collisions="suffix"`;
            None when no code is a suffix.

    Returns:
        Reward in [0, 1]: 0 without an answer, 1 only for exactly the target, 0.95 when every nominal code is
        right
        and only the suffix is wrong, missing or superfluous (0 with `exponent=inf`).

    Raises:
        ValueError: empty target or an exponent that is not positive.

    Source: METHODS 1.4. Ours: an answer longer than the target is measured against its own length, so that
        it never
        counts as exact.
    """
    if len(target) == 0:
        raise ValueError("the target has no codes; every item needs a semantic ID (rerun the index stage)")
    if not exponent > 0:
        raise ValueError(f"reward exponent must be positive (inf for exact match), got {exponent}")
    if generated is None:
        return 0.0
    matched = common_prefix_length(generated, target)
    longest = max(len(generated), len(target))
    only_suffix_wrong = nominal_levels is not None and matched >= nominal_levels and matched < longest
    if only_suffix_wrong and not isinf(exponent):
        return WRONG_SUFFIX_REWARD
    return float((matched / longest) ** exponent)


def judge(
    answer: ParsedAnswer, target: Sequence[int], exponent: float = 0.5, nominal_levels: int | None = None
) -> Outcome:
    """Judge a parsed completion against the target.

    Args:
        answer: parsed completion.
        target: codes of the true item, -1 padding allowed at the end.
        exponent: see `prefix_reward`.
        nominal_levels: see `prefix_reward`.

    Returns:
        The outcome; an answer that breaks the format counts as no answer.
    """
    wanted = tuple(int(code) for code in target if code >= 0)
    codes = tuple(answer.codes) if answer.format_ok and answer.codes is not None else None
    return Outcome(
        codes=codes,
        format_ok=bool(answer.format_ok),
        prefix_length=0 if codes is None else common_prefix_length(codes, wanted),
        hit=codes == wanted,
        reward=prefix_reward(codes, wanted, exponent, nominal_levels),
    )


class PrefixReward:
    """TRL reward function that judges completions against the dataset's `target` column.

    Args:
        parse: text of a completion -> parsed answer (pure: texts are parsed once and remembered).
        exponent: see `prefix_reward`.
        nominal_levels: see `prefix_reward`.
    """

    def __init__(
        self, parse: Callable[[str], ParsedAnswer], exponent: float = 0.5, nominal_levels: int | None = None
    ) -> None:
        self.__name__ = "prefix_reward"  # the name TRL logs
        self.exponent = exponent
        self.nominal_levels = nominal_levels
        self._parse = lru_cache(maxsize=8192)(parse)

    def outcomes(self, completions: Sequence[str], targets: Sequence[Sequence[int]]) -> list[Outcome]:
        """Judge completions.

        Args:
            completions: n decoded completions.
            targets: n code sequences.

        Returns:
            n outcomes.
        """
        return [
            judge(self._parse(text), target, self.exponent, self.nominal_levels)
            for text, target in zip(completions, targets, strict=True)
        ]

    def __call__(self, completions: list[str], target: list[list[int]], **_: Any) -> list[float]:
        """Rewards of n completions, the call that TRL makes."""
        return [outcome.reward for outcome in self.outcomes(completions, target)]
