"""Which items come next, in names the model writes itself? The recommender of SAGE, its folder, and new items.

A folder holds config.json, weights and tokenizer as transformers writes them, names.json, catalogue.jsonl.gz,
vectors.npy (num_items, d) and sage.json (history length, encoder, hash of the names, where it comes from).
Legend: n histories, K list length, C candidates.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.data.catalogue import Catalogue
from genrec.data.files import read_json, sha256_of, write_json, write_whole
from genrec.decoding.batching import search_prompts
from sage.diversity.rerank import rerank
from sage.fresh import with_fresh
from sage.items.names import NativeNames
from sage.items.rows import Speller

NAMES, CATALOGUE, VECTORS, MANIFEST = "names.json", "catalogue.jsonl.gz", "vectors.npy", "sage.json"
IntArray = NDArray[np.int64]
Candidates = tuple[IntArray, NDArray[np.float64]]


@dataclass(frozen=True)
class Recommendation:
    """One listed item: dense index, the catalogue's id and title, log-probability of its name."""

    item: int
    item_id: str
    title: str
    score: float


class SageRecommender:
    """A language model that lists items by writing their names.

    Args:
        model: causal language model.
        tokenizer: its tokenizer.
        names: spellings of the whole catalogue.
        catalogue: the items, in the order of the names.
        vectors: (num_items, d) item vectors, for variety on request.
        manifest: content of sage.json.

    Raises:
        ValueError: names, catalogue and vectors differ in size.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        names: NativeNames,
        catalogue: Catalogue,
        vectors: NDArray[np.float32],
        manifest: Mapping[str, Any],
    ) -> None:
        sizes = {"names": len(names), "catalogue": len(catalogue), "vectors": len(vectors)}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"these belong to different catalogues: {sizes}; rerun recipes/sage_sft.py")
        self.model, self.tokenizer, self.names, self.catalogue = model, tokenizer, names, catalogue
        self.vectors, self.manifest = np.asarray(vectors, dtype=np.float32), dict(manifest)
        self.speller = Speller(names, tokenizer, int(self.manifest.get("max_history", 20)))
        self.trie = names.trie()

    @classmethod
    def from_pretrained(cls, folder: str | Path, dtype: str = "float32", device: str = "cpu") -> SageRecommender:
        """Open a folder of `save`.

        Raises:
            ValueError: it is none, or its names are not those the weights were trained with.
        """
        from transformers import AutoModelForCausalLM, AutoTokenizer

        folder = Path(folder)
        if not (folder / MANIFEST).is_file():
            raise ValueError(f"'{folder}' holds no {MANIFEST}; train one with recipes/sage_sft.py")
        manifest = read_json(folder / MANIFEST)
        if sha256_of(folder / NAMES) != manifest["names_sha256"]:
            raise ValueError(f"{folder / NAMES} is not the file the weights were trained with; restore it")
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).to(device).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        names, catalogue = NativeNames.load(folder / NAMES), Catalogue.load(folder / CATALOGUE)
        return cls(model, tokenizer, names, catalogue, np.load(folder / VECTORS), manifest)

    def save(self, folder: str | Path) -> None:
        """Write the folder; sage.json last."""
        folder = Path(folder)
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        self.names.save(folder / NAMES)
        self.catalogue.save(folder / CATALOGUE)
        buffer = io.BytesIO()
        np.save(buffer, self.vectors)
        write_whole(folder / VECTORS, buffer.getvalue())
        write_json(folder / MANIFEST, {**self.manifest, "names_sha256": sha256_of(folder / NAMES)})

    def with_items(self, records: Sequence[Mapping[str, Any]], encoder: Any) -> SageRecommender:
        """A recommender that also lists new items, at once: no training, no new token, old names untouched.

        Args:
            records: item records with `item_id` and any texts.
            encoder: the text encoder of the vectors (`genrec.llm.encoders`).

        Raises:
            ValueError: another encoder than the one of the old vectors.
        """
        if encoder.name != self.manifest.get("encoder"):
            raise ValueError(f"vectors come from encoder {self.manifest.get('encoder')!r}, not {encoder.name!r}")
        fresh = Catalogue.from_records(records)
        old = [{k: v for k, v in row.items() if k != "item_index"} for row in self.catalogue.frame.to_dicts()]
        names = self.names.with_titles(fresh.titles, self.tokenizer)
        vectors = np.concatenate([self.vectors, encoder.encode(fresh.texts())])
        catalogue = Catalogue.from_records([*old, *records])
        added = list(range(len(self.names), len(names)))
        facts = {**self.manifest, "new_items": [*self.new_items, *added]}
        return SageRecommender(self.model, self.tokenizer, names, catalogue, vectors, facts)

    @property
    def new_items(self) -> list[int]:
        """Dense items that training never saw."""
        return list(self.manifest.get("new_items", []))

    def rank(
        self,
        histories: Sequence[Sequence[int] | IntArray],
        k: int = 10,
        num_beams: int = 20,
        *,
        diversity: float = 0.0,
        method: str = "mmr",
        fresh: int = 0,
        exclude: Sequence[Set[int]] | None = None,
        batch_size: int = 32,
        progress: bool = False,
    ) -> Candidates:
        """Lists for many histories.

        Args:
            histories: n sequences of dense items, oldest first; an empty one is allowed.
            k: K.
            num_beams: candidates C per history, widened to K.
            diversity: 0 = by probability ... 1 = by variety alone, see `sage.diversity.rerank`.
            method: "mmr" or "dpp".
            fresh: last slots kept for new items that are near by their texts, see `sage.fresh`.
            exclude: per history, items that must not be listed.
            batch_size: prompts per forward pass.
            progress: show a bar.

        Returns:
            Items (n, K), best first, -1 where there are fewer, and the log-probabilities of their names.
        """
        found = self.search(histories, max(num_beams, k), exclude, batch_size=batch_size, progress=progress)
        return self.choose(histories, found, k, diversity=diversity, method=method, fresh=fresh, exclude=exclude)

    def search(
        self,
        histories: Sequence[Sequence[int] | IntArray],
        num_beams: int,
        exclude: Sequence[Set[int]] | None = None,
        *,
        batch_size: int = 32,
        progress: bool = False,
    ) -> Candidates:
        """Candidates of many histories by probability: the one costly step, from which `choose` makes any list.

        Args:
            histories: as in `rank`.
            num_beams: C.
            exclude: as in `rank`.
            batch_size: prompts per forward pass.
            progress: show a bar.

        Returns:
            Items (n, C), best first, -1 where there are fewer, and the log-probabilities of their names.
        """
        prompts = [self.speller.prompt(list(history)) for history in histories]
        found = search_prompts(
            self.model, prompts, self.trie, num_beams, exclude=exclude, batch_size=batch_size, progress=progress
        )
        return found.items.numpy(), found.scores.double().numpy()

    def choose(
        self,
        histories: Sequence[Sequence[int] | IntArray],
        candidates: Candidates,
        k: int,
        *,
        diversity: float = 0.0,
        method: str = "mmr",
        fresh: int = 0,
        exclude: Sequence[Set[int]] | None = None,
    ) -> Candidates:
        """Lists out of candidates; arguments and results as in `rank`."""
        items, scores = candidates
        chosen = items[:, :k] if diversity == 0 else rerank(items, scores, self.vectors, k, diversity, method)
        if fresh:
            chosen = with_fresh(chosen, histories, self.vectors, self.new_items, fresh, exclude)
        return chosen, _scores_of(chosen, items, scores)

    def recommend(
        self,
        history: Sequence[str],
        k: int = 10,
        diversity: float = 0.0,
        num_beams: int = 20,
        seen: bool = False,
        fresh: int = 0,
    ) -> list[Recommendation]:
        """A list for one user.

        Args:
            history: item ids, oldest first.
            k: items wanted.
            diversity: in [0, 1].
            num_beams: candidates.
            seen: also list items of the history.
            fresh: last slots kept for new items; their score is -inf where the beam did not reach them.

        Raises:
            ValueError: an unknown item id (it is named), or a diversity outside [0, 1].
        """
        shown = [self.catalogue.index_of(item_id) for item_id in history]
        exclude = None if seen else [set(shown)]
        items, scores = self.rank([shown], k, num_beams, diversity=diversity, fresh=fresh, exclude=exclude)
        ids, titles = self.catalogue.item_ids, self.catalogue.titles
        pairs = zip(items[0].tolist(), scores[0].tolist(), strict=True)
        return [Recommendation(item, ids[item], titles[item], score) for item, score in pairs if item >= 0]


def _scores_of(chosen: IntArray, items: IntArray, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores (n, K) of chosen items (n, K) out of candidates (n, C)."""
    match = chosen[:, :, None] == items[:, None, :]
    found = np.where(match, scores[:, None, :], -np.inf).max(axis=2)
    return np.where(chosen >= 0, found, -np.inf)
