"""How well are items recommended that training never saw? Withhold some, train, give them codes, ask for them.

The withheld items leave catalogue and histories before anything is learnt: tokenizer, SASRec, codebooks, model.
Afterwards they get codes in the frozen codebooks (`gream.grow`) and enter the trie; no weight changes.

Legend: a question belongs to the new items when its target does. Training parts of the reduced data are parts of the
original training parts, so no validation or test item of the original split is learnt from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from genrec.backbones.popularity import Popularity
from genrec.backbones.protocol import IdModel
from genrec.backbones.rank import rank_id_model
from genrec.data.catalogue import Catalogue
from genrec.data.dataset import Dataset
from genrec.data.split import Targets
from genrec.metrics.figures import ranking_figures
from gream.evaluate import evaluate_direct
from gream.grow import grow
from gream.indexing import ItemIndex
from gream.recommend import GreamRecommender, load_parts

KS = (1, 5, 10, 50)
LEAST_EVENTS = 3  # what leave-one-out needs


@dataclass(frozen=True)
class Withheld:
    """A dataset without some of its items, and the questions that are asked afterwards.

    Attributes:
        known: what training may see.
        new: catalogue of the withheld items.
        questions: "new" and "known": test questions of the whole dataset by their target; dense items count the known
            ones first, then the new ones.
    """

    known: Dataset
    new: Catalogue
    questions: dict[str, Targets]


def withhold(dataset: Dataset, share: float, seed: int) -> Withheld:
    """Take a random share of the items out of a dataset.

    Args:
        dataset: the whole dataset.
        share: of the items, in (0, 1).
        seed: of the draw.

    Raises:
        ValueError: a share outside of (0, 1), or one that leaves no item, no user or no question.
    """
    if not 0.0 < share < 1.0:
        raise ValueError(f"share must lie in (0, 1), got {share}")
    gone = np.zeros(dataset.num_items, dtype=bool)
    gone[np.random.default_rng(seed).permutation(len(gone))[: round(share * len(gone))]] = True
    place = np.empty(len(gone), dtype=np.int64)  # known items first, then the new ones, each in their order
    place[np.argsort(gone, kind="stable")] = np.arange(len(gone))
    kept = [user for user, history in enumerate(dataset.histories) if (~gone[history]).sum() >= LEAST_EVENTS]
    test = dataset.split().test
    asked = {name: np.flatnonzero(gone[test.targets] == (name == "new")) for name in ("new", "known")}
    if not kept or gone.all() or not all(len(rows) for rows in asked.values()):
        raise ValueError(
            f"withholding {gone.sum()} of {len(gone)} items leaves {len(kept)} users, {len(asked['new'])} questions "
            f"for new items and {len(asked['known'])} for known ones; change the share"
        )
    mask = pl.Series(gone)
    catalogues = [Catalogue(dataset.catalogue.frame.filter(which).drop("item_index")) for which in (~mask, mask)]
    known = Dataset(
        f"{dataset.name}_without_new",
        [place[history[~gone[history]]] for history in (dataset.histories[user] for user in kept)],
        [dataset.user_ids[user] for user in kept],
        catalogues[0],
        None,
        [],
        {**dataset.info, "withheld": {"share": share, "seed": seed, "items": int(gone.sum())}},
    )
    questions = {name: _moved(test, rows, place) for name, rows in asked.items()}
    return Withheld(known, catalogues[1], questions)


def _moved(test: Targets, rows: NDArray[np.int64], place: NDArray[np.int64]) -> Targets:
    """Some questions, with their items renamed."""
    return Targets(test.users[rows], [place[test.histories[row]] for row in rows], place[test.targets[rows]])


class TextNeighbours:
    """Scores an item by the likeness of its text to the texts of the history; what needs no training at all.

    Args:
        vectors: (V, d) text vectors.
        decay: weight of an item relative to the one after it.
    """

    def __init__(self, vectors: NDArray[np.float32], decay: float = 0.8) -> None:
        self.vectors, self.decay = F.normalize(torch.from_numpy(vectors.astype(np.float32)), dim=1), decay

    @property
    def num_items(self) -> int:
        """Catalogue size V."""
        return len(self.vectors)

    def score_histories(self, histories: Sequence[NDArray[np.int64]]) -> Tensor:
        """Cosine with the weighted mean of each history, (n, V)."""
        profiles = [self._profile(torch.from_numpy(np.asarray(history))) for history in histories]
        return torch.stack(profiles) @ self.vectors.T

    def _profile(self, history: Tensor) -> Tensor:
        weights = self.decay ** torch.arange(len(history) - 1, -1, -1, dtype=torch.float32)
        return weights @ self.vectors[history]


def judge_new_items(run_dir: Path, withheld: Withheld, encoder: str, *, stage: str = "align") -> list[dict[str, Any]]:
    """Rows of metrics.json: both kinds of questions before and after the new items entered, and baselines.

    Args:
        run_dir: run folder of a model that was trained on `withheld.known`.
        withheld: the data.
        encoder: text encoder of the index.
        stage: which checkpoint.

    Raises:
        ValueError: the run was trained on other items.
    """
    parts, index = load_parts(run_dir / stage), ItemIndex.load(run_dir / "index")
    if parts.catalogue.item_ids != withheld.known.catalogue.item_ids:
        raise ValueError(
            f"'{run_dir}' was trained on other items than those left after withholding; use a new run folder"
        )
    before = GreamRecommender(parts)
    after, longer = grow(before, index, withheld.new, encoder)
    counts = np.zeros(len(after.catalogue), dtype=np.int64)
    counts[: withheld.known.num_items] = withheld.known.split().popularity(withheld.known.num_items)
    width = int(index.item_codes.config.get("text_dim") or longer.embeddings.shape[1])
    models: dict[str, IdModel] = {
        "Popularity": Popularity(counts),
        "Text neighbours": TextNeighbours(longer.embeddings[:, :width]),
    }
    rows = []
    for kind, targets in withheld.questions.items():
        label = {"new": "asked for new items", "known": "asked for known items"}[kind]
        rows += [_baseline_row(name, label, model, targets) for name, model in models.items()]
        rows.append(evaluate_direct(after, targets, ks=KS, stage=label, progress=True).row)
    known_only = _without_new(withheld)
    return [*rows, evaluate_direct(before, known_only, ks=KS, stage="new items not yet in", progress=True).row]


def _without_new(withheld: Withheld) -> Targets:
    """The questions for known items with histories of known items only, as before the new ones entered."""
    asked, limit = withheld.questions["known"], withheld.known.num_items
    histories = [history[history < limit] for history in asked.histories]
    rows = [row for row, history in enumerate(histories) if len(history)]  # nothing can be asked of an empty history
    return Targets(asked.users[rows], [histories[row] for row in rows], asked.targets[rows])


def _baseline_row(system: str, stage: str, model: IdModel, targets: Targets) -> dict[str, Any]:
    """One baseline's figures."""
    found = rank_id_model(model, targets, top_k=max(KS))
    row = {"system": system, "stage": stage, "mode": "direct", "seed": 0}
    figures = ranking_figures(targets, found.ranks, found.items, found.ranks_unseen, num_items=model.num_items, ks=KS)
    return {**row, **figures}
