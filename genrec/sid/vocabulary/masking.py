"""Who keeps rows without a token out of the samples?

Qwen-type matrices are padded: they have more rows than the tokenizer has ids. Nothing trains those rows
down, so they are masked. Shapes: logits (..., rows); rows >= num_tokens are padding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def mask_padded_rows(logits: Tensor, num_tokens: int) -> Tensor:
    """Logits with -inf at every row that has no token.

    Args:
        logits: (..., rows).
        num_tokens: `len(tokenizer)`.

    Returns:
        (..., rows); the input itself when nothing is padded.
    """
    if logits.shape[-1] <= num_tokens:
        return logits
    masked = logits.clone()
    masked[..., num_tokens:] = float("-inf")
    return masked


class PaddedRowsMask:
    """A logits processor for `generate(logits_processor=[...])`: padded rows are never sampled.

    Args:
        num_tokens: `len(tokenizer)`.
    """

    def __init__(self, num_tokens: int) -> None:
        self.num_tokens = num_tokens

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores (batch, rows) with -inf at padded rows."""
        return mask_padded_rows(scores, self.num_tokens)


def suppress_padded_rows(model: Any, tokenizer: Any) -> list[int]:
    """Store the mask in the model's generation config, so that a plain `generate` obeys it after loading too.

    Returns:
        The suppressed row numbers, empty when nothing is padded.
    """
    padded = list(range(len(tokenizer), model.get_input_embeddings().weight.shape[0]))
    if padded:
        model.generation_config.suppress_tokens = padded
    return padded
