"""What does a person see? A few users with history, chain, list and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.split import Targets

if TYPE_CHECKING:
    from gream.recommend import GreamRecommender, SampledChain


def pick_rows(hits: NDArray[np.bool_], count: int, wanted_hits: int = 2) -> list[int]:
    """Choose users by a rule, not by taste.

    Args:
        hits: (u, n) True where a sample is the target.
        count: Users wanted.
        wanted_hits: How many of them should hold a hit, if there are so many.

    Returns:
        The first users with a hit, then the first without, filled up from either; in sample order.
    """
    found = np.flatnonzero(hits.any(axis=1)).tolist()
    missed = np.flatnonzero(~hits.any(axis=1)).tolist()
    take = found[:wanted_hits]
    take += missed[: count - len(take)]
    take += found[wanted_hits : wanted_hits + count - len(take)]
    return sorted(int(row) for row in take)


def build_examples(
    recommender: GreamRecommender,
    targets: Targets,
    samples: Sequence[Sequence[SampledChain]],
    hits: NDArray[np.bool_],
    *,
    count: int = 5,
    stage: str = "",
    list_length: int = 5,
    user_ids: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """Describe a few users of a reasoning evaluation.

    Args:
        recommender: The checkpoint.
        targets: The sample that was judged.
        samples: Its chains.
        hits: (u, n) True where a sample is the target.
        count: Users wanted.
        stage: Label.
        list_length: Items listed per mode.
        user_ids: Names of the dense users.

    Returns:
        One dictionary per user: `user`, `history` (titles, latest last), `target`, `chain`, `stages`
        (number -> text), `reasoned` and `direct` (lines of title, hit, votes).
    """
    return [
        _example(recommender, targets, samples[row], row, stage, list_length, user_ids)
        for row in pick_rows(hits, count)
    ]


def _example(
    recommender: GreamRecommender,
    targets: Targets,
    samples: Sequence[SampledChain],
    row: int,
    stage: str,
    list_length: int,
    user_ids: Sequence[str] | None,
) -> dict[str, Any]:
    titles, formatter = recommender.catalogue.titles, recommender.runner.formatter
    history, target = [int(i) for i in targets.histories[row]], int(targets.targets[row])
    user = int(targets.users[row])
    reasoned = recommender.list_from_samples(history, list(samples), list_length)
    direct = recommender.recommend(history, list_length)
    best = next((s for s in samples if s.item == reasoned[0].item), samples[0])
    return {
        "user": user_ids[user] if user_ids is not None else str(user),
        "stage": stage,
        "history": [titles[i] for i in formatter.latest(history)],
        "target": titles[target],
        "chain": readable(best.chain, recommender),
        "stages": {str(n): readable(t, recommender) for n, t in formatter.parse(best.text).stages.items()},
        "reasoned": [_line(r.title, r.item == target, r.votes) for r in reasoned],
        "direct": [_line(r.title, r.item == target, 0) for r in direct],
    }


def _line(title: str, hit: bool, votes: int) -> dict[str, Any]:
    return {"title": title, "hit": hit, "votes": votes}


def readable(text: str, recommender: GreamRecommender) -> str:
    """Replace semantic IDs inside a chain by titles.

    Args:
        text: Part of a chain; stage 5 lists semantic IDs without separators.
        recommender: Holds index and titles.

    Returns:
        The text with each known semantic ID as its title in angle quotes, unknown ones left as they are.
    """
    vocabulary, codes = recommender.runner.vocabulary, recommender.item_codes
    for sid in sorted({tuple(sid) for sid in vocabulary.parse(text)}, key=len, reverse=True):
        item = codes.item_of(sid)
        if item is not None:
            text = text.replace(vocabulary.text_of(sid), f"«{recommender.catalogue.titles[item]}» ")
    return text.strip()
