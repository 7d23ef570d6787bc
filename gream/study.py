"""Is one way of RL better than another, and than none? Arms at equal rollout tokens, judged user by user.

Legend: u test users, n chains per user, s seeds. An arm is a set of SRPO settings; all arms start from the curriculum
checkpoint of one run, and everything is judged on the same users with the same seeds of the draw.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.files import read_json, write_arrays, write_json
from genrec.data.split import Targets
from genrec.metrics.passk import expected_pass_values, pass_values
from genrec.metrics.ranking import ndcg_values, recall_values
from genrec.metrics.uncertainty import paired_bootstrap
from gream.evaluate import evaluate_direct, evaluate_reasoning
from gream.recommend import GreamRecommender
from gream.settings import EvalArguments

ARMS: dict[str, dict[str, str]] = {
    "srpo": {},
    "grpo": {"bonus": "false", "dynamic_sampling": "false"},
    "grpo_exact": {"bonus": "false", "dynamic_sampling": "false", "reward_exponent": "inf"},
    "srpo_exact": {"reward_exponent": "inf"},
    "srpo_no_bonus": {"bonus": "false"},
    "srpo_no_resampling": {"dynamic_sampling": "false"},
    "srpo_free": {"answer_constraint": "none"},
    "srpo_no_anchor": {"anchor_weight": "0"},
    "srpo_labels": {"anchor_target": "labels", "anchor_weight": "0.5"},
}
KS = (1, 5, 10)
PASS = tuple(f"Pass@{k}{ending}" for ending in ("", "_expected") for k in (*KS, "mean"))
DIRECT = ("Recall@10", "NDCG@10", "Recall@50")


@dataclass(frozen=True)
class Judged:
    """A checkpoint, judged user by user.

    Attributes:
        row: the figures of both modes.
        hits: (u, n) True where a chain's answer is the target.
        expected: (u, n) probability of the target behind each chain.
        ranks: (all users,) rank of the target in direct mode, -1 for a miss.
    """

    row: dict[str, Any]
    hits: NDArray[np.bool_]
    expected: NDArray[np.float64]
    ranks: NDArray[np.int64]

    def save(self, stem: Path) -> None:
        """Write `<stem>.npz` and, last, `<stem>.json`."""
        write_arrays(stem.with_suffix(".npz"), {"hits": self.hits, "expected": self.expected, "ranks": self.ranks})
        write_json(stem.with_suffix(".json"), self.row)

    @classmethod
    def load(cls, stem: Path) -> Judged | None:
        """Read what `save` wrote; None where the checkpoint was not judged to the end."""
        if not stem.with_suffix(".json").is_file():
            return None
        arrays = np.load(stem.with_suffix(".npz"))
        return cls(read_json(stem.with_suffix(".json")), arrays["hits"], arrays["expected"], arrays["ranks"])

    def per_user(self, metric: str) -> NDArray[np.float64]:
        """Values of a metric by user, whose mean is the figure."""
        if metric in DIRECT:
            name, k = metric.split("@")
            return (recall_values if name == "Recall" else ndcg_values)(self.ranks, int(k))
        cut, _, ending = metric.removeprefix("Pass@").partition("_")
        cuts = [k for k in KS if k <= self.hits.shape[1]] if cut == "mean" else [int(cut)]
        values, table = (expected_pass_values, self.expected) if ending else (pass_values, self.hits)
        return np.mean([values(table, k) for k in cuts], axis=0)  # type: ignore[no-any-return]


def judge(folder: Path, sample: Targets, everyone: Targets, stage: str, a: EvalArguments) -> Judged:
    """Judge one checkpoint in both modes.

    Args:
        folder: recommender folder.
        sample: users of reasoning mode; a claim needs 1,000.
        everyone: users of direct mode.
        stage: row label.
        a: beams, samples, temperature, seeds.

    Returns:
        The figures and what they are made of.
    """
    recommender = GreamRecommender.from_pretrained(folder)
    reasoning = evaluate_reasoning(
        recommender, sample, num_samples=a.reasoning_samples, temperature=a.temperature, top_p=a.top_p, ks=KS,
        max_new_tokens=a.max_new_tokens, batch_size=a.batch_size, stage=stage, seed=a.seed, progress=True,
    )  # fmt: skip
    direct = evaluate_direct(
        recommender, everyone, num_beams=max(a.num_beams, 50), unseen=False, ks=(1, 10, 50),
        batch_size=a.batch_size, stage=stage, seed=a.seed, progress=True,
    )  # fmt: skip
    assert reasoning.expected is not None
    return Judged({**direct.row, **reasoning.row, "mode": "both"}, reasoning.hits, reasoning.expected, direct.ranks)


def differences(base: Judged, arms: Mapping[str, Sequence[Judged]], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Each arm against the checkpoint that all start from, seeds averaged per user.

    Args:
        base: the curriculum checkpoint.
        arms: arm -> its seeds.
        metrics: of `PASS` and `DIRECT`.

    Returns:
        Rows with both means, their difference, its 95 % interval and p-value (paired bootstrap over users; the
        spread over seeds stands in the rows of the arms).
    """
    rows = []
    for arm, runs in arms.items():
        for metric in metrics:
            before = base.per_user(metric)
            after = np.mean([run.per_user(metric) for run in runs], axis=0)
            found = paired_bootstrap(after, before, samples=10_000)
            rows.append(
                {
                    "arm": arm,
                    "metric": metric,
                    "before": float(before.mean()),
                    "after": float(after.mean()),
                    "difference": found.difference.mean,
                    "low": found.difference.low,
                    "high": found.difference.high,
                    "p_value": found.p_value,
                    "seeds": len(runs),
                }
            )
    return rows


def wanted_metrics(base: Judged) -> list[str]:
    """The metrics that the number of chains allows."""
    too_many = tuple(f"Pass@{k}" for k in KS if k > base.hits.shape[1])
    return [m for m in PASS if m.partition("_")[0] not in too_many] + list(DIRECT)
