"""What else might have come next? A conventional recommender's guesses beside the item that came.

A history names one next item where many would have done, and an item of the long tail is named so rarely that a
language model never learns when to say it. CE-SASRec knows: it has a vector for every item. Its guesses enter in two
ways, each with a share of its own: every copy of a history gets some items replaced by draws from the guesses (`swap`),
and the label of every next item becomes a mixture of the true item and the guesses (`mixture`), which
`genrec.posttrain.soft_labels` hands down the code levels.

Legend: P training positions, K candidates kept per position, U users.
Source: ours; sequence-level and word-level distillation (Kim and Rush 2016) with the true items kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Score = Callable[[Sequence[NDArray[np.int64]]], Tensor]  # histories -> (n, num_items), as `IdModel.score_histories`


@dataclass(frozen=True)
class TeacherTable:
    """A teacher's candidates at every training position.

    Attributes:
        starts: (U + 1,) first position of each user; position `starts[u] + t` is item t of user u.
        truth: (P,) the item that came.
        items: (P, K) candidate items, most probable first.
        cumulated: (P, K) cumulated probabilities, the last entry is 1; all zero where there is no history.
    """

    starts: NDArray[np.int64]
    truth: NDArray[np.int32]
    items: NDArray[np.int32]
    cumulated: NDArray[np.float32]

    def swap(self, user: int, history: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.int64]:
        """Replace a share of a user's items by the teacher's; the first item always stays.

        Args:
            user: dense user.
            history: (T,) the user's training items.
            share: probability that an item is replaced.
            rng: generator of the choices.

        Returns:
            (T,) a new history.
        """
        rolled, drawn = rng.random(len(history)), rng.random(len(history))
        swapped = history.copy()
        for t in np.flatnonzero(rolled < share):
            row = self.starts[user] + t
            if t and self.cumulated[row, -1] > 0:
                swapped[t] = self.items[row, int(np.searchsorted(self.cumulated[row, :-1], drawn[t], side="right"))]
        return swapped

    def mixture(self, positions: NDArray[np.int64], share: float) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Candidates of positions with their weights: the item that came, then the teacher's guesses.

        Args:
            positions: (M,) positions.
            share: weight of all guesses together, in [0, 1]; the item that came has the rest.

        Returns:
            Items and weights, both (M, 1 + K); where the teacher guesses nothing the item that came has all.
        """
        guesses = np.diff(self.cumulated[positions], axis=1, prepend=0.0)
        first = 1.0 - share * self.cumulated[positions, -1:]
        items = np.concatenate([self.truth[positions, None], self.items[positions]], axis=1).astype(np.int64)
        return items, np.concatenate([first, share * guesses], axis=1).astype(np.float32)


def build_teacher_table(
    score: Score, histories: Sequence[NDArray[np.int64]], *, candidates: int = 64, batch_size: int = 512
) -> TeacherTable:
    """Ask a teacher for its candidates at every training position.

    A user's own training items are no candidates (they are the true answer, or bought already), and neither are items
    without a training interaction, of which the teacher knows nothing.

    Args:
        score: the teacher, trained on these histories only.
        histories: training items per dense user.
        candidates: K.
        batch_size: positions per call of the teacher.

    Returns:
        The table.
    """
    starts = np.concatenate([[0], np.cumsum([len(history) for history in histories])]).astype(np.int64)
    known = np.unique(np.concatenate([np.asarray(h, dtype=np.int64) for h in histories]))
    width = min(candidates, len(known))
    items = np.zeros((int(starts[-1]), width), dtype=np.int32)
    cumulated = np.zeros((int(starts[-1]), width), dtype=np.float32)
    places = [(user, t) for user, history in enumerate(histories) for t in range(1, len(history))]
    for begin in range(0, len(places), batch_size):
        batch = places[begin : begin + batch_size]
        rows = np.array([starts[user] + t for user, t in batch])
        scores = score([histories[user][:t] for user, t in batch])
        items[rows], cumulated[rows] = best_candidates(scores, known, [histories[user] for user, _ in batch], width)
    truth = np.concatenate([np.asarray(h, dtype=np.int32) for h in histories])
    return TeacherTable(starts, truth, items, cumulated)


def best_candidates(
    scores: Tensor, known: NDArray[np.int64], owned: Sequence[NDArray[np.int64]], width: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The most probable allowed items and their cumulated probabilities, renormalised.

    Args:
        scores: (n, num_items).
        known: items that may be drawn at all.
        owned: per row, items that may not.
        width: K.

    Returns:
        Items (n, K) and cumulated probabilities (n, K); items that may not be drawn have no weight.
    """
    allowed = torch.full_like(scores, float("-inf"))
    allowed[:, torch.from_numpy(known)] = scores[:, torch.from_numpy(known)]
    for row, mine in enumerate(owned):
        allowed[row, torch.from_numpy(np.asarray(mine, dtype=np.int64))] = float("-inf")
    best, items = allowed.topk(width, dim=1)
    cumulated = torch.nan_to_num(best.double().softmax(dim=1)).cumsum(dim=1)
    return items.numpy().astype(np.int32), cumulated.numpy().astype(np.float32)
