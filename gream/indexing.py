"""How does a catalogue become an item index? Texts -> embeddings -> codes -> one folder.

Shapes: text vectors (num_items, dt), collaborative vectors (num_items, dc), fused (num_items, dt + dc).
Files: `index.json` (codes, settings, hash), `health.json`, `quantiser.npz`, `embeddings.npy` (fused vectors).
Source: METHODS 1.1; collaborative vectors beside the text are ours, because codes that know who buys what
predict the next purchase better.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genrec.data.files import read_json, write_json, write_whole
from genrec.llm.encoders import TextEncoder, load_encoder
from genrec.sid.codes import ItemCodes
from genrec.sid.flexcode.usage import ItemUsage
from genrec.sid.fusion import fuse
from genrec.sid.health import index_health
from genrec.sid.learners import SidConfig, learn_codes
from genrec.sid.new_items import assign_new_items
from genrec.sid.rq_kmeans import RQKMeans

if TYPE_CHECKING:
    from genrec.data.dataset import Dataset

logger = logging.getLogger(__name__)
NO_QUANTISER = "new items need an index with codebooks over text vectors, which method rq_kmeans keeps"


@dataclass
class IndexConfig(SidConfig):
    """Settings of the index stage: the learner's, and how both kinds of vectors are weighed."""

    collaborative_weight: float = field(
        default=1.0, metadata={"help": "length of the collaborative part; the text part has length 1"}
    )

    def learner(self) -> SidConfig:
        """The learner's part."""
        return SidConfig(**{k: v for k, v in asdict(self).items() if k != "collaborative_weight"})


@dataclass
class ItemIndex:
    """An index folder in memory.

    Attributes:
        item_codes: code tuple of every item.
        health: see `genrec.sid.health.index_health`.
        embeddings: (num_items, dt + dc) vectors the codes were learnt from.
        quantiser: codebooks, or `None` for learners without.
    """

    item_codes: ItemCodes
    health: dict[str, Any]
    embeddings: NDArray[np.float32]
    quantiser: RQKMeans | None

    def save(self, folder: str | Path) -> Path:
        """Write the four files; `index.json` comes last, so a folder that has it is complete."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.save(buffer, self.embeddings)
        write_whole(folder / "embeddings.npy", buffer.getvalue())
        if self.quantiser is not None:
            self.quantiser.save(folder / "quantiser.npz")
        write_json(folder / "health.json", self.health)
        self.item_codes.save(folder / "index.json")
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> ItemIndex:
        """Read a folder written by `save`.

        Raises:
            FileNotFoundError: the folder holds no index.
            ValueError: a file is damaged.
        """
        folder = Path(folder)
        item_codes = ItemCodes.load(folder / "index.json")
        quantiser = folder / "quantiser.npz"
        return cls(
            item_codes,
            read_json(folder / "health.json"),
            np.load(folder / "embeddings.npy"),
            RQKMeans.load(quantiser) if quantiser.is_file() else None,
        )


def build_index(
    dataset: Dataset,
    encoder: str | TextEncoder = "minilm",
    config: IndexConfig | None = None,
    collaborative: ArrayLike | None = None,
    *,
    folder: str | Path | None = None,
    train_items: Iterable[int] | None = None,
    cache_dir: str | Path | None = None,
    usage: ItemUsage | None = None,
    train: Sequence[NDArray[np.int64]] | None = None,
) -> ItemIndex:
    """Encode the catalogue, learn unique codes, and write the index folder.

    Args:
        dataset: its catalogue texts are encoded; its interactions are not looked at.
        encoder: spec for `load_encoder`, or an encoder.
        config: learner and its settings.
        collaborative: (num_items, dc) item vectors learnt from training interactions only, such as
            `SASRec.item_vectors()`.
        folder: where to write; `None` writes nothing.
        train_items: items with training interactions; the others take their collaborative part from their
            nearest texts. `None` means all items have trained vectors.
        cache_dir: folder of the embedding cache.
        usage: what training tells about each item; the method "flexcode" needs it.
        train: training histories; "flexcode" with joint training needs them.

    Returns:
        The index.

    Raises:
        ValueError: collaborative vectors that do not match the catalogue.
    """
    config = config or IndexConfig()
    model = load_encoder(encoder, cache_dir) if isinstance(encoder, str) else encoder
    vectors = model.encode(dataset.catalogue.texts())
    extra: dict[str, Any] = {"encoder": model.name, "text_dim": int(vectors.shape[1])}
    if collaborative is not None:
        vectors = fuse(vectors, collaborative, config.collaborative_weight, train_items)
        extra["collaborative_weight"] = config.collaborative_weight
    learned = learn_codes(config.method, vectors, config.learner(), _signals(extra["text_dim"], usage, train))
    item_codes = learned.item_codes.with_config(extra)
    health = {**learned.health, "hash": item_codes.hash, "config": item_codes.config}
    index = ItemIndex(item_codes, health, vectors, learned.quantiser)
    _log(index)
    if folder is not None:
        index.save(folder)
    return index


def _signals(text_width: int, usage: ItemUsage | None, train: Sequence[NDArray[np.int64]] | None) -> Any:
    """Usage and histories with the width of the text part, None without usage."""
    if usage is None:
        return None
    from genrec.sid.flexcode.learner import ItemSignals

    return ItemSignals(text_width, usage, train)


def add_items(index: ItemIndex, texts: Iterable[str], encoder: str | TextEncoder) -> ItemIndex:
    """Give new items codes in a trained index; old codes and codebooks stay as they are.

    Where the index was built with collaborative vectors, a new item takes that part from its nearest texts.

    Args:
        index: the trained index.
        texts: catalogue texts of the new items, same format as at build time.
        encoder: the encoder of the index, as spec or object.

    Returns:
        The longer index; its `item_codes.config["extends"]` is the hash of the old one.

    Raises:
        ValueError: another encoder, an index without quantiser, or no free codes.
    """
    if index.quantiser is None:
        raise ValueError(f"{NO_QUANTISER}; this one was learnt by {index.item_codes.config.get('method')!r}")
    model = load_encoder(encoder) if isinstance(encoder, str) else encoder
    _check_encoder(index.item_codes.config, model.name)
    text = model.encode(list(texts))
    vectors = _fused_like(index, text)
    item_codes, counts = assign_new_items(index.item_codes, index.quantiser, vectors)
    embeddings = np.concatenate([index.embeddings, vectors])
    health = index_health(item_codes, None, embeddings, index.quantiser) | {"new_items": counts}
    return ItemIndex(item_codes, health, embeddings, index.quantiser)


def _fused_like(index: ItemIndex, text: NDArray[np.float32]) -> NDArray[np.float32]:
    """New text vectors (m, dt) in the format of the index (m, dt + dc)."""
    weight = index.item_codes.config.get("collaborative_weight")
    if weight is None:
        return text
    width = int(index.item_codes.config["text_dim"])
    old_text, old_part = index.embeddings[:, :width], index.embeddings[:, width:]
    known = range(len(old_text))
    empty = np.zeros((len(text), old_part.shape[1]), dtype=np.float32)
    both = fuse(np.concatenate([old_text, text]), np.concatenate([old_part, empty]), float(weight), known)
    return both[len(old_text) :]


def _check_encoder(config: Mapping[str, Any], name: str) -> None:
    if config.get("encoder") != name:
        raise ValueError(
            f"the index was built with encoder {config.get('encoder')!r}, not {name!r}; new items need the same encoder"
        )


def _log(index: ItemIndex) -> None:
    """One line on the new index."""
    levels = ", ".join(f"{level['used']}/{level['size']}" for level in index.health["levels"])
    logger.info(
        "index of %d items: codes used per level %s; share that collided before repair %s; hash %.12s",
        index.item_codes.num_items,
        levels,
        index.health.get("collision_rate_before", "not applicable"),
        index.item_codes.hash,
    )
