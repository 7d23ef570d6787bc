"""Where does each stage find what the earlier ones made? The run folder of GREAM.

runs/<name>/
  index/    data/ (dataset), split.json, index.json, health.json, quantiser.npz, embeddings.npy, sasrec/ (baseline),
            base/ (untrained model)
  cot/      train.jsonl (five-stage chains), train.stats.json
  align/ reason/ srpo/    a recommender folder, log.jsonl, validation.json, best/
  eval/     rows of every judged stage
  report.md, report.html, metrics.json
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from genrec.data import Dataset
from genrec.data.chains import Chain, read_chains
from genrec.data.files import read_json
from genrec.data.split import Split, SplitKind
from genrec.decoding.trie import Trie
from genrec.sid.codes import ItemCodes
from genrec.sid.vocabulary import SidVocabulary
from gream.prompts import PromptConfig

SPLIT_FILE = "split.json"
SPLIT_TEXTS = {
    "leave_one_out": "leave-one-out: last item = test, last but one = validation",
    "by_time": "by time: latest tenth of all interactions = test, the tenth before = validation, "
    "a user's first in each",
}


@dataclass
class Workspace:
    """Read access to the artifacts of a run.

    Args:
        root: the run folder.
        chain_files: files of chains to be joined; none = the one of the cot stage.
    """

    root: Path
    chain_files: Sequence[Path] = ()

    def stage(self, name: str) -> Path:
        """Folder of a stage."""
        return self.root / name

    @property
    def base(self) -> Path:
        """Recommender folder of the untrained model."""
        return self.root / "index" / "base"

    @property
    def sasrec(self) -> Path:
        """Folder of the CE-SASRec baseline."""
        return self.root / "index" / "sasrec"

    @property
    def chains_path(self) -> Path:
        """File of the five-stage chains."""
        return self.root / "cot" / "train.jsonl"

    def model_folder(self, stage: str) -> Path:
        """Recommender folder that a stage leaves behind ('index' = the untrained model)."""
        return self.base if stage == "index" else self.root / stage

    @cached_property
    def dataset(self) -> Dataset:
        """The dataset as the index stage saw it."""
        return Dataset.load(self.root / "index" / "data")

    @cached_property
    def split_kind(self) -> SplitKind:
        """The split that the index stage was built with; runs from before split.json are leave-one-out."""
        path = self.root / "index" / SPLIT_FILE
        return cast(SplitKind, read_json(path)["kind"]) if path.is_file() else "leave_one_out"

    @cached_property
    def split(self) -> Split:
        """Training, validation and test of the run; the only place where a later stage gets them."""
        return self.dataset.split(self.split_kind)

    @cached_property
    def codes(self) -> ItemCodes:
        """The item index."""
        return ItemCodes.load(self.root / "index" / "index.json")

    @cached_property
    def vocabulary(self) -> SidVocabulary:
        """SID tokens of the index."""
        return SidVocabulary.for_codes(self.codes)

    @cached_property
    def chains(self) -> list[Chain]:
        """Chains over training interactions; [] when the cot stage did not run and no file is named."""
        files = self.chain_files or [path for path in (self.chains_path,) if path.is_file()]
        return [chain for file in files for chain in read_chains(file)]

    @cached_property
    def prompts(self) -> PromptConfig:
        """Wordings and history length of the run."""
        return PromptConfig.load(self.base / "prompts.json")

    def token_trie(self, tokenizer: Any) -> Trie:
        """Prefix trie of the whole catalogue over this tokenizer's token ids."""
        return Trie.from_codes(self.vocabulary.bind(tokenizer).token_codes(self.codes))


def training_pairs(split: Split, size: int, seed: int, min_history: int = 2) -> list[tuple[list[int], int]]:
    """(history, next item) pairs from training interactions only, for RL prompts.

    Args:
        split: the split; validation and test are not touched.
        size: number of pairs; -1 = all.
        seed: of the draw.
        min_history: events before a target.

    Returns:
        Pairs in random order.
    """
    ends = [(u, t) for u, items in enumerate(split.train) for t in range(min_history, len(items))]
    order = np.random.default_rng(seed).permutation(len(ends))
    chosen = [ends[i] for i in (order if size < 0 else order[:size])]
    return [(split.train[u][:t].tolist(), int(split.train[u][t])) for u, t in chosen]
