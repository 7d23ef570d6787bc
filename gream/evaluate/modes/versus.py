"""Is run A better than run B? The same users, figure by figure, with paired bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genrec.metrics.ranking import exact_mean
from genrec.metrics.uncertainty import paired_bootstrap
from gream.evaluate.modes.summary import user_values


def versus(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]], seed: int = 0) -> list[dict[str, Any]]:
    """Compare two journals over the users that both hold.

    Args:
        a: Records of run A.
        b: Records of run B.
        seed: Of the resampling.

    Returns:
        Per figure that both have: mean of A and of B, A - B with its 95 % interval, p-value, users.

    Raises:
        ValueError: The journals share no user, or disagree about a user's target.
    """
    others = {record["user"]: record for record in b}
    pairs = [(record, others[record["user"]]) for record in a if record["user"] in others]
    if not pairs:
        raise ValueError("the two journals share no user; judge the same sample (--max_users, --seed)")
    for mine, theirs in pairs:
        if mine["target"] != theirs["target"]:
            raise ValueError(
                f"user {mine['user']} has other targets in the two journals: they come from different splits"
            )
    first, second = (user_values([pair[side] for pair in pairs]) for side in (0, 1))
    return [_row(name, first[name], second[name], seed) for name in first if name in second]


def _row(name: str, a: Any, b: Any, seed: int) -> dict[str, Any]:
    found = paired_bootstrap(a, b, seed=seed)
    return {
        "figure": name, "a": exact_mean(a), "b": exact_mean(b), "difference": found.difference.mean,
        "low": found.difference.low, "high": found.difference.high, "p_value": found.p_value, "n_users": len(a),
    }  # fmt: skip


def as_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The comparison as Markdown."""
    lines = ["| figure | A | B | A - B | 95 % interval | p | users |", "|---|---:|---:|---:|---|---:|---:|"]
    for r in rows:
        interval = f"[{r['low']:+.4f}, {r['high']:+.4f}]"
        lines.append(
            f"| {r['figure']} | {r['a']:.4f} | {r['b']:.4f} | {r['difference']:+.4f} | {interval} | {r['p_value']:.3f} "
            f"| {r['n_users']} |"
        )
    return "\n".join(lines)
