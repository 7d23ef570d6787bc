"""How good is a written list? Where the truth stands in it, and how much of what its reasons say is true.

Before the checker and after it; what was retrieved for the same users stands beside, so that a writer is seen to help.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genrec.metrics.ranking import ndcg_at_k, recall_at_k
from llmrec.generative.records import Records
from llmrec.generative.writing.answer import Reasoned
from llmrec.generative.writing.grounding import GroundingChecker, Report, accuracy
from llmrec.generative.writing.writers import Question

Lists = Sequence[Sequence[Reasoned]]


def accuracy_table(checker: GroundingChecker, asked: Sequence[Question], lists: Lists) -> dict[str, float]:
    """Reason accuracy before and after the checker, and what the checker had to do."""
    before, after, kept, rewritten, dropped = [], [], 0, 0, 0
    for question, found in zip(asked, reports(checker, asked, lists), strict=True):
        before += [row.claims for row in found.kept] + [[] for _ in found.dropped]
        after += [checker.claims(row.item, row.reason, question.history) for row in found.kept]
        kept, dropped = kept + len(found.kept), dropped + len(found.dropped)
        rewritten += sum(row.rewritten for row in found.kept)
    total = max(kept + dropped, 1)
    return {
        "reason_accuracy_own": accuracy(before, own=True),
        "reason_accuracy": accuracy(before),
        "reason_accuracy_checked": accuracy(after),
        "reason_accuracy_own_checked": accuracy(after, own=True),
        "item_accuracy": kept / total,
        "rewritten_share": rewritten / total,
        "dropped_share": dropped / total,
    }


def ranking_of_lists(
    checker: GroundingChecker, asked: Sequence[Question], lists: Lists, targets: Sequence[int], k: int = 5
) -> dict[str, float]:
    """HR@k and NDCG@k of what was written, of what the checker left, and of the first k retrieved.

    Args:
        checker: drops items that do not exist or were not retrieved.
        asked: n questions.
        lists: n lists; an invalid item keeps its place and is a miss.
        targets: n dense items that the users chose next.
        k: list length.

    Returns:
        `HR@k_written`, `HR@k_checked`, `HR@k_retrieved` and the same of NDCG.
    """
    items = checker.records.items
    found = {
        "written": [[items.get(row.item_id, -1) for row in rows] for rows in lists],
        "checked": [[row.item for row in report.kept] for report in reports(checker, asked, lists)],
        "retrieved": [list(question.retrieved) for question in asked],
    }
    table = {}
    for name, ranked in found.items():
        ranks = np.array([place(row[:k], int(t)) for row, t in zip(ranked, targets, strict=True)], dtype=np.int64)
        table[f"HR@{k}_{name}"] = float(recall_at_k(ranks, k))
        table[f"NDCG@{k}_{name}"] = float(ndcg_at_k(ranks, k))
    return table


def choice_accuracy(records: Records, lists: Lists, targets: Sequence[int]) -> float:
    """Share of questions whose first written item is the target."""
    first = [rows[0].item_id if rows else "" for rows in lists]
    return float(np.mean([name == records[t].item_id for name, t in zip(first, targets, strict=True)]))


def reports(checker: GroundingChecker, asked: Sequence[Question], lists: Lists) -> list[Report]:
    """What the checker says of each list."""
    return [checker.check(rows, q.retrieved, q.history) for q, rows in zip(asked, lists, strict=True)]


def place(ranked: Sequence[int], target: int) -> int:
    """0-based rank of a target in a list, -1 where it is not."""
    return list(ranked).index(target) if target in ranked else -1
