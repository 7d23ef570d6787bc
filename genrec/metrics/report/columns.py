"""Which figures make which table, what are they called, and how is one written?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

BASELINES = ("popularity", "sasrec", "gru4rec", "bert4rec", "random")
"""A system whose name begins like this is a baseline, whatever its case."""

DIRECT = (
    "Recall@1", "Recall@5", "Recall@10", "Recall@50", "NDCG@10", "Recall@10_unseen", "NDCG@10_unseen",
    "Recall@10_sampled100", "NDCG@10_sampled100", "Coverage@10", "Div@10", "Popularity@10", "invalid", "duplicates",
)  # fmt: skip
REASONING = (
    "Pass@1", "Pass@5", "Pass@10", "Pass@mean", "Pass@1_expected", "Pass@5_expected", "Pass@10_expected",
    "Pass@mean_expected", "Pass@1_ranked", "Pass@5_ranked", "Pass@10_ranked",
    "Recall@10_chain_beam", "Pass@1_own_chain", "Pass@1_swapped_chain", "format_rate", "invalid_share", "duplicates",
    "n_users", "n_samples",
)  # fmt: skip
GROUPS = tuple(
    f"{metric}@10_{group}"
    for group in ("head_users", "tail_users", "head_items", "tail_items")
    for metric in ("Recall", "NDCG")
)

FURTHER = (
    "CrossCat@10", "attention_by_cosine", "NDCG@10_short", "NDCG@10_short_truncated", "Recall@10_short_truncated",
    "NDCG@10_dense", "Recall@10_dense", "NDCG@10_drift", "Recall@10_new_behaviour", "Completion@10",
    "Kept@random_noise", "Kept@popular_noise", "Separation",
)  # fmt: skip
"""What GRASP and CoRec add to the rows of their runs."""
COLD = (
    "HR@10_regular", "NDCG@10_regular", "HR@10_new_users", "NDCG@10_new_users", "HR@10_new_items", "NDCG@10_new_items",
    "HR@10_new_users_unseen", "HR@10_new_items_unseen",
    "NewShare@10", "Entropy@10", "vocabulary_seconds", "index_seconds", "train_seconds",
    "seconds_to_equal", "chosen_step", "clip_ratio",
)  # fmt: skip
REASONS = (
    "BLEU-4", "ROUGE-L", "reason_accuracy", "reason_accuracy_checked", "reason_accuracy_own",
    "reason_accuracy_own_checked", "item_accuracy", "rewritten_share", "dropped_share", "writer_failures", "n_users",
)  # fmt: skip
FEEDBACK = (
    "HR@10_turn0", "HR@10_turn1", "HR@10_turn2", "HR@10_turn3", "gain_turn1", "gain_turn2", "gain_turn3", "n_users",
)  # fmt: skip

LABELS = {
    "Recall@10_unseen": "Recall@10 unseen",
    "NDCG@10_unseen": "NDCG@10 unseen",
    "Recall@10_sampled100": "Recall@10 (sampled 1 + 100)",
    "NDCG@10_sampled100": "NDCG@10 (sampled 1 + 100)",
    "Coverage@10": "Coverage",
    "Popularity@10": "Mean popularity",
    "Pass@mean": "Pass mean",
    "Pass@1_expected": "Pass@1, expected",
    "Pass@5_expected": "Pass@5, expected",
    "Pass@10_expected": "Pass@10, expected",
    "Pass@mean_expected": "Pass mean, expected",
    "Pass@1_ranked": "Pass@1 ranked",
    "Pass@5_ranked": "Pass@5 ranked",
    "Pass@10_ranked": "Pass@10 ranked",
    "Recall@10_chain_beam": "Recall@10, chain + beam",
    "Pass@1_own_chain": "Pass@1, own chain",
    "Pass@1_swapped_chain": "Pass@1, foreign chain",
    "format_rate": "Format",
    "invalid_share": "Invalid",
    "invalid": "Invalid items",
    "duplicates": "Duplicates",
    "n_users": "Users",
    "n_samples": "Chains each",
    "HR@10_regular": "HR@10 regular",
    "NDCG@10_regular": "NDCG@10 regular",
    "HR@10_new_users": "HR@10 new users",
    "HR@10_new_items": "HR@10 new items (cold recall)",
    "HR@10_new_users_unseen": "HR@10 new users unseen",
    "HR@10_new_items_unseen": "HR@10 new items unseen",
    "NewShare@10": "New items listed",
    "Entropy@10": "Exposure entropy, bits",
    "vocabulary_seconds": "Vocabulary, s",
    "index_seconds": "RQ index, s",
    "train_seconds": "Training, s",
    "chosen_step": "Chosen step",
    "clip_ratio": "Ratios clipped",
    "seconds_to_equal": "Training to equal validation quality, s",
    "reason_accuracy": "True reasons",
    "reason_accuracy_checked": "True reasons, checked",
    "reason_accuracy_own": "True of the item itself",
    "reason_accuracy_own_checked": "True of the item itself, checked",
    "writer_failures": "Answers that were no list",
    "item_accuracy": "Items retrieved",
    "rewritten_share": "Reasons rewritten",
    "dropped_share": "Items dropped",
}
SHARES = {
    "format_rate", "invalid_share", "Coverage@10", "NewShare@10", "reason_accuracy", "reason_accuracy_checked",
    "item_accuracy", "rewritten_share", "dropped_share", "reason_accuracy_own", "reason_accuracy_own_checked",
}  # fmt: skip
QUALITY = ("Recall", "NDCG", "HR", "Pass", "Coverage", "Div", "format_rate", "BLEU", "ROUGE", "reason_accuracy")
"""Columns that begin like this are better when larger, so the best value is marked."""


def is_baseline(row: Row) -> bool:
    """Whether a row judges a baseline and not one of our systems."""
    return str(row["system"]).casefold().startswith(BASELINES)


def row_name(row: Row) -> str:
    """Name of a row: system and, for our own, the stage."""
    return f"{row['system']} {row['stage']}".strip()


def number(name: str, value: Any) -> str:
    """Write one figure.

    Args:
        name: Its column.
        value: Number, text or None.

    Returns:
        Shares as per cent, counts with separators, metrics with four decimals, nothing for None.
    """
    if value is None:
        return ""
    if isinstance(value, bool | str):
        return str(value)
    if name in SHARES:
        return f"{100 * value:.1f} %"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.4f}"
