"""How do pretrained models encode texts? Sentence-transformers as they are, causal LMs by mean pooling.

Shapes: hidden (batch, tokens, d), mask (batch, tokens) with 1 at real tokens and 0 at padding.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genrec.llm.batching import encode_by_length
from genrec.llm.precision import fastest_dtype

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float32]


def mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean hidden state over real tokens.

    Args:
        hidden: (batch, tokens, d).
        mask: (batch, tokens), 1 = real token, 0 = padding.

    Returns:
        (batch, d) float32; a row without any real token is zero.
    """
    weight = mask.unsqueeze(-1).float()
    return (hidden.float() * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1.0)


class SentenceEncoder:
    """A sentence-transformers model; its own pooling and normalisation.

    Args:
        model: id or folder.
        device: torch device; `None` means a GPU when there is one.
    """

    def __init__(self, model: str, device: str | None = None) -> None:
        from sentence_transformers import SentenceTransformer

        self.device = device or default_device()
        dtype = fastest_dtype(self.device)
        self.model = SentenceTransformer(model, device=self.device, model_kwargs={"dtype": dtype})
        self.name = f"sentence:{fingerprint(model)}:{str(dtype).removeprefix('torch.')}"

    def encode(self, texts: Sequence[str], batch_size: int = 64) -> Floats:
        """Vectors (n, d); the library sorts batches by length."""
        vectors = self.model.encode(list(texts), batch_size=batch_size, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)


class MeanPooledEncoder:
    """The mean of a causal LM's last hidden states over a text's tokens.

    Args:
        model: id or folder of any Hugging Face causal LM.
        device: torch device; `None` means a GPU when there is one.
        max_tokens: longer texts are cut.
    """

    def __init__(self, model: str, device: str | None = None, max_tokens: int = 512) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.device = device or default_device()
        dtype = fastest_dtype(self.device)
        self.max_tokens = max_tokens
        self.tokenizer = AutoTokenizer.from_pretrained(model, padding_side="right")
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.model = AutoModel.from_pretrained(model, dtype=dtype).to(self.device).eval()
        self.name = f"mean:{fingerprint(model)}:{str(dtype).removeprefix('torch.')}:{max_tokens}"

    def encode(self, texts: Sequence[str], batch_size: int = 64) -> Floats:
        """Vectors (n, d), in batches of similar token count."""
        if not texts:
            return np.zeros((0, self.model.config.hidden_size), dtype=np.float32)
        lengths = [
            len(ids) for ids in self.tokenizer(list(texts), truncation=True, max_length=self.max_tokens).input_ids
        ]
        return encode_by_length(texts, lengths, batch_size, self._encode_batch)

    def _encode_batch(self, texts: list[str]) -> Floats:
        import torch

        batch = self.tokenizer(
            texts, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        ).to(self.device)
        with torch.inference_mode():
            hidden = self.model(input_ids=batch.input_ids, attention_mask=batch.attention_mask).last_hidden_state
            return mean_pool(hidden, batch.attention_mask).cpu().numpy()


def default_device() -> str:
    """`cuda` when there is a GPU, else `cpu`."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def fingerprint(model: str) -> str:
    """Identity of a model: its id, or for a folder a digest of names, sizes and both ends of its files."""
    folder = Path(model)
    if not folder.is_dir():
        return model
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.suffix in {".json", ".safetensors", ".bin"}):
        digest.update(f"{file.relative_to(folder)}:{file.stat().st_size}:".encode())
        digest.update(_both_ends(file))
    return f"{folder.name}-{digest.hexdigest()[:16]}"


def _both_ends(file: Path, width: int = 1 << 20) -> bytes:
    """The first and the last MiB of a file."""
    with file.open("rb") as stream:
        head = stream.read(width)
        stream.seek(max(file.stat().st_size - width, 0))
        return head + stream.read(width)
