"""What does a journal say? Ranking, Pass@k, form, latency, tokens, cost, per segment.

Legend: u users, n chains per user, K list length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.metrics.groups import group_masks, group_table
from genrec.metrics.lists import duplicate_count, invalid_count
from genrec.metrics.passk import pass_table, pass_values
from genrec.metrics.ranking import exact_mean, ndcg_values, ranking_table, ranks_from_lists
from genrec.metrics.uncertainty import mean_ci

Record = Mapping[str, Any]
PERCENTILES = (50, 95, 99)


def hits_of(records: Sequence[Record]) -> NDArray[np.bool_]:
    """(u, n) True where a chain has the trained form and its answer is the target."""
    return np.array(
        [[ok and a == r["target"] for ok, a in zip(r["format_ok"], r["answers"], strict=True)] for r in records]
    )


def ranks_of(records: Sequence[Record]) -> NDArray[np.int64]:
    """(u,) 0-based rank of each target in its list, -1 for a miss."""
    return ranks_from_lists(_lists(records), np.array([record["target"] for record in records]))


def _lists(records: Sequence[Record]) -> NDArray[np.int64]:
    width = max(len(record["items"]) for record in records)
    lists = np.full((len(records), width), -1, dtype=np.int64)
    for row, record in enumerate(records):
        lists[row, : len(record["items"])] = record["items"]
    return lists


def user_values(records: Sequence[Record]) -> dict[str, NDArray[np.float64]]:
    """Figure -> one value per user, what a paired comparison needs."""
    values: dict[str, NDArray[np.float64]] = {}
    if records[0]["items"]:
        ranks = ranks_of(records)
        values |= {"Recall@10": ((ranks >= 0) & (ranks < 10)).astype(float), "NDCG@10": ndcg_values(ranks, 10)}
    if records[0]["answers"]:
        hits = hits_of(records)
        values |= {f"Pass@{k}": pass_values(hits, k) for k in (1, 5, 10) if k <= hits.shape[1]}
    return values


def summarise(
    records: Sequence[Record],
    num_items: int,
    history_lengths: ArrayLike,
    popularity: ArrayLike,
    price_per_hour: float = 0.0,
) -> dict[str, Any]:
    """Figures of one journal.

    Args:
        records: One per user, at least one.
        num_items: Catalogue size.
        history_lengths: (u,) items of each user's history.
        popularity: (num_items,) training counts.
        price_per_hour: Of the machine, in any currency; 0 gives machine seconds only.

    Returns:
        Figures with intervals, counts of invalid and duplicate items, latency percentiles (ms), tokens per user,
        machine seconds and cost per 1,000 users, and the figures of head and tail users and items.

    Raises:
        ValueError: There is no record.
    """
    if not records:
        raise ValueError("the journal holds no user; nothing can be summarised")
    groups = group_masks(history_lengths, [record["target"] for record in records], popularity)
    row: dict[str, Any] = {"n_users": len(records)}
    if records[0]["items"]:
        lists, ranks = _lists(records), ranks_of(records)
        row |= ranking_table(ranks, [k for k in (1, 5, 10, 20) if k <= lists.shape[1]])
        row |= {"invalid": invalid_count(lists, num_items), "duplicates": duplicate_count(lists, num_items)}
        row |= group_table(ranks, groups)
    if records[0]["answers"]:
        row |= _pass_figures(records, groups)
    for name, values in user_values(records).items():
        interval = mean_ci(values)
        row |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return row | _cost(records, price_per_hour)


def _pass_figures(records: Sequence[Record], groups: Mapping[str, NDArray[np.bool_]]) -> dict[str, Any]:
    hits, log_probs = hits_of(records), np.array([record["log_probs"] for record in records])
    answers = [answer for record in records for answer in record["answers"]]
    table: dict[str, Any] = {"n_samples": hits.shape[1], **pass_table(hits, log_probs)}
    table["format_rate"] = exact_mean([float(ok) for record in records for ok in record["format_ok"]])
    table["unanswered"] = sum(answer < 0 for answer in answers)
    table |= {f"Pass@1_{name}": exact_mean(pass_values(hits[mask], 1)) for name, mask in groups.items() if mask.any()}
    return table


def _cost(records: Sequence[Record], price_per_hour: float) -> dict[str, float]:
    """Latency, tokens, machine time and money."""
    seconds = np.array([record["seconds"] for record in records])
    table = {f"latency_p{p}_ms": round(1000 * float(np.percentile(seconds, p)), 2) for p in PERCENTILES}
    tokens = sum(record["tokens"] for record in records)
    table |= {"tokens_per_user": tokens / len(records), "tokens_per_second": round(tokens / seconds.sum(), 1)}
    table["seconds_per_1000_users"] = round(1000 * float(seconds.mean()), 2)
    if price_per_hour:
        table["cost_per_1000_users"] = round(table["seconds_per_1000_users"] / 3600 * price_per_hour, 6)
    return table
