"""What does a stage learn from, and what is it asked? Dataset, cold split and vectors, the same in every stage."""

from __future__ import annotations

import io
import logging
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genrec.data import Dataset, load_dataset
from genrec.data.files import read_json, write_json, write_whole
from genrec.fetch import cache_folder
from genrec.llm.encoders import load_encoder
from sage.cold.split import ColdConfig, ColdSplit, cold_split
from sage.settings import SftArguments

logger = logging.getLogger(__name__)
SAMPLE = 128  # texts that are encoded anew to time the encoder


@dataclass
class RunData:
    """Everything a stage reads.

    Attributes:
        dataset: users' histories and the catalogue.
        cold: the split into training and scenes.
        vectors: (num_items, d) text vectors.
        encoder: identity of the encoder.
        facts: counts and times.
    """

    dataset: Dataset
    cold: ColdSplit
    vectors: NDArray[np.float32]
    encoder: str
    facts: dict[str, Any]

    @property
    def known(self) -> NDArray[np.bool_]:
        """(num_items,) bool, True for items that training may see."""
        return ~self.cold.new_items

    @property
    def counts(self) -> NDArray[np.int64]:
        """(num_items,) training interactions."""
        return self.cold.split.popularity(self.dataset.num_items)


def prepare(arguments: SftArguments, folder: Path, is_main: bool = True) -> RunData:
    """Load, split and encode; keeps data, split and vectors in the stage's folder.

    Item texts hold no reviews: the cold split differs from the one that decides which reviews are training evidence.

    Args:
        arguments: settings of the sft stage.
        folder: the stage's folder.
        is_main: False on a process that writes nothing.
    """
    whole = drawn_users(load_dataset(arguments.dataset), arguments.num_users, arguments.split_seed)
    dataset = without_reviews(latest_events(whole, arguments.max_events))
    encoder = load_encoder(arguments.encoder, cache_folder() / "embeddings")
    vectors = np.asarray(encoder.encode(dataset.catalogue.texts()), dtype=np.float32)
    facts = {"encode_seconds": _encode_seconds(arguments.encoder, dataset.catalogue.texts())}
    cold = cold_split(dataset.histories, dataset.num_items, arguments.cold())
    if is_main:
        dataset.save(folder / "data")
        write_json(folder / "cold.json", {**asdict(arguments.cold()), "encoder": encoder.name, **facts})
        buffer = io.BytesIO()
        np.save(buffer, vectors)
        write_whole(folder / "item_vectors.npy", buffer.getvalue())
    return RunData(dataset, cold, vectors, encoder.name, facts)


def reopen(folder: Path) -> RunData:
    """The data of a finished sft stage, exactly as it saw them."""
    dataset, saved = Dataset.load(folder / "data"), read_json(folder / "cold.json")
    config = ColdConfig(**{name: saved[name] for name in ("user_share", "item_share", "shown", "seed")})
    cold = cold_split(dataset.histories, dataset.num_items, config)
    facts = {"encode_seconds": saved["encode_seconds"]}
    return RunData(dataset, cold, np.load(folder / "item_vectors.npy"), saved["encoder"], facts)


def drawn_users(dataset: Dataset, most: int, seed: int) -> Dataset:
    """A dataset of its scale: so many users drawn at random, and the items that they chose.

    Args:
        dataset: the whole.
        most: users drawn, in their old order; -1 keeps all.
        seed: of the draw.

    Raises:
        ValueError: fewer than 1 user, or more than there are.
    """
    if most < 0:
        return dataset
    if not 1 <= most <= dataset.num_users:
        raise ValueError(f"num_users must be -1 or 1 ... {dataset.num_users} ('{dataset.name}'), got {most}")
    users = np.sort(np.random.default_rng(seed).permutation(dataset.num_users)[:most])
    items = np.unique(np.concatenate([dataset.histories[user] for user in users]))
    small = replace(
        dataset,
        histories=[np.searchsorted(items, dataset.histories[user]) for user in users],
        user_ids=[dataset.user_ids[user] for user in users],
        catalogue=dataset.catalogue.subset(items.tolist()),
        timestamps=None if dataset.timestamps is None else [dataset.timestamps[user] for user in users],
    )
    counts = {"users": small.num_users, "items": small.num_items, "interactions": small.num_interactions}
    return replace(small, counts=[*dataset.counts, {"step": f"{most:,} users drawn", **counts}])


def latest_events(dataset: Dataset, most: int) -> Dataset:
    """Each user's latest `most` events; -1 keeps all.

    Raises:
        ValueError: fewer than 3 are kept, too few for training, validation and test.
    """
    if most < 0:
        return dataset
    if most < 3:
        raise ValueError(f"max_events must be at least 3 or -1, got {most}")
    times = None if dataset.timestamps is None else [times[-most:] for times in dataset.timestamps]
    return replace(dataset, histories=[h[-most:] for h in dataset.histories], timestamps=times)


def without_reviews(dataset: Dataset) -> Dataset:
    """The dataset with item texts that hold no reviews."""
    from genrec.data.catalogue import Catalogue

    frame = dataset.catalogue.frame
    kept = frame.drop("reviews") if "reviews" in frame.columns else frame
    info = {name: value for name, value in dataset.info.items() if name != "evidence_split"}
    return replace(dataset, catalogue=Catalogue(kept), info=info)


def _encode_seconds(spec: str, texts: list[str]) -> float:
    """Seconds that the encoder takes for a catalogue, scaled up from a sample (the vectors may come from a cache)."""
    encoder = load_encoder(spec)
    chosen = np.random.default_rng(0).permutation(len(texts))[:SAMPLE]
    started = time.perf_counter()
    encoder.encode([texts[i] for i in chosen])
    return round((time.perf_counter() - started) * len(texts) / max(len(chosen), 1), 2)
