"""How does a text become a vector? One protocol, four kinds of encoder, one loader.

Shapes: encode(texts) gives (n, d) float32, one row per text, in the order of the texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from genrec.llm.embedding_cache import EmbeddingCache
from genrec.llm.hash_encoder import HashEncoder

Floats = NDArray[np.float32]


@runtime_checkable
class TextEncoder(Protocol):
    """Anything that turns texts into vectors.

    Attributes:
        name: identity for caches and provenance; two encoders with different output have different names.
    """

    name: str

    def encode(self, texts: Sequence[str], batch_size: int = 64) -> Floats:
        """Vectors (n, d) of texts (n,)."""
        ...


def load_encoder(spec: str, cache_dir: str | Path | None = None, device: str | None = None) -> TextEncoder:
    """An encoder by name.

    Args:
        spec: `minilm` (from the package index), `hash` (no model), `hf:<id or folder>` (mean-pooled
            last hidden state of any causal LM), or the id or folder of a sentence-transformers model.
        cache_dir: folder for the content-hash cache; `None` means no cache.
        device: torch device; `None` means a GPU when there is one.

    Returns:
        The encoder, behind a cache when `cache_dir` is given.

    Raises:
        ValueError: empty spec.
        FileNotFoundError: a path that does not exist.
    """
    if not spec or spec == "hf:":
        raise ValueError(f"encoder {spec!r} names no model; use minilm, hash, hf:<id or folder>, or an id or folder")
    encoder = _load(spec, device)
    return CachedEncoder(encoder, cache_dir) if cache_dir is not None else encoder


def _load(spec: str, device: str | None) -> TextEncoder:
    if spec == "hash":
        return HashEncoder()
    from genrec.llm.hf_encoders import MeanPooledEncoder, SentenceEncoder

    if spec == "minilm":
        from genrec.llm.assets import minilm_folder

        return SentenceEncoder(str(minilm_folder()), device)
    if spec.startswith("hf:"):
        return MeanPooledEncoder(_checked(spec.removeprefix("hf:")), device)
    return SentenceEncoder(_checked(spec), device)


def _checked(model: str) -> str:
    """A model id or an existing folder; what looks like a path must exist."""
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        folder = Path(model).expanduser()
        if not folder.is_dir():
            raise FileNotFoundError(f"encoder folder {folder} does not exist; give a model folder or a hub id")
        return str(folder)
    return model


class CachedEncoder:
    """An encoder that remembers on disk: equal texts are encoded once per encoder, ever.

    Args:
        encoder: does the work.
        cache_dir: folder of the cache files.
    """

    def __init__(self, encoder: TextEncoder, cache_dir: str | Path) -> None:
        self.encoder = encoder
        self.name = encoder.name
        self.cache = EmbeddingCache(cache_dir, encoder.name)

    def encode(self, texts: Sequence[str], batch_size: int = 64) -> Floats:
        """Vectors (n, d), from the cache where it has them."""
        known = self.cache.get(texts)
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            vectors = self.encoder.encode(new, batch_size)
            self.cache.put(new, vectors)
            known |= dict(zip(new, vectors, strict=True))
        return np.stack([known[text] for text in texts]) if texts else self.encoder.encode(texts, batch_size)
