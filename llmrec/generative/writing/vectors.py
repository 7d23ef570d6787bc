"""How does a language model see the aligned vectors? As a few soft tokens that a small projector makes.

The prompt holds placeholders (an ordinary token); where they stand, the embedding layer's output is replaced by the
projected user vector and item vectors. Nothing else of the model changes, and generation works as it is.
Legend: B rows, T tokens, P placeholders of a row, d width of the aligned space, D width of the model.
Source: METHODS 5 (conditioning on vectors); the hook is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

PLACEHOLDER = "[vector]"


class VectorPrompt(nn.Module):
    """A projector on the embedding layer of a causal language model.

    Args:
        width: d.
        model_width: D.
        token_id: of the placeholder.
        seed: of the initial weights.
    """

    def __init__(self, width: int, model_width: int, token_id: int, seed: int = 0) -> None:
        super().__init__()
        self.token_id = token_id
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.project = nn.Sequential(nn.Linear(width, model_width), nn.GELU(), nn.Linear(model_width, model_width))
        self._vectors: Tensor | None = None

    def attach(self, model: Any) -> VectorPrompt:
        """Make the projector part of the model, so that it trains and is saved with it."""
        model.add_module("vector_prompt", self)
        model.get_input_embeddings().register_forward_hook(self._hook)
        return self

    @contextmanager
    def given(self, vectors: Tensor | None) -> Iterator[None]:
        """Vectors (B, P, d) that stand in for the placeholders of the batch while the context lasts; None for none."""
        self._vectors = vectors
        try:
            yield
        finally:
            self._vectors = None

    def _hook(self, _module: Any, inputs: tuple[Tensor, ...], embedded: Tensor) -> Tensor | None:
        """Replace placeholders; tokens without them (later steps of generation) pass as they are."""
        if self._vectors is None:
            return None
        return filled(embedded, inputs[0], self.project(self._vectors.to(embedded)), self.token_id)


def filled(embedded: Tensor, ids: Tensor, soft: Tensor, token_id: int) -> Tensor:
    """Embeddings with placeholders replaced, in order.

    Args:
        embedded: (B, T, D).
        ids: (B, T) token ids.
        soft: (B, P, D).
        token_id: of the placeholder.

    Returns:
        (B, T, D); the n-th placeholder of a row gets soft[row, n].

    Raises:
        ValueError: a row has more placeholders than vectors.
    """
    places = ids == token_id
    order = places.long().cumsum(1) - 1
    if int(places.sum(1).max()) > soft.shape[1]:
        raise ValueError(f"a prompt has {int(places.sum(1).max())} placeholders for {soft.shape[1]} vectors")
    chosen = soft.gather(1, order.clamp_min(0)[..., None].expand(-1, -1, soft.shape[-1]))
    return torch.where(places[..., None], chosen, embedded)
