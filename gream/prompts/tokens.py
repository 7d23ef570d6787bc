"""Where does a prompt end and its completion begin, in tokens? At a token boundary, or it is an error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Pair = tuple[str, str]
"""A prompt and its completion."""
Encoded = tuple[list[int], list[int]]
"""`input_ids` and `completion_mask` of one row, of equal length; 1 means the token is a target."""


def token_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Tokenise strings in which a chat template wrote every special token already."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return [list(ids) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]
    backend.no_padding()  # an earlier call may have left both on; the wrapper sets them anew for its own calls
    backend.no_truncation()
    return [encoding.ids for encoding in backend.encode_batch_fast(list(texts), add_special_tokens=False)]


def encode_pairs(tokenizer: Any, pairs: Sequence[Pair]) -> list[Encoded]:
    """Tokenise prompts and completions apart, and check that together they read the same.

    Args:
        tokenizer: Hugging Face tokenizer.
        pairs: prompts with their completions.

    Returns:
        One row per pair.

    Raises:
        ValueError: when tokens(prompt) + tokens(completion) differs from tokens(prompt + completion).
    """
    if not pairs:
        return []
    prompts, completions = (token_ids(tokenizer, [pair[side] for pair in pairs]) for side in (0, 1))
    wholes = token_ids(tokenizer, [prompt + completion for prompt, completion in pairs])
    for (prompt, completion), left, right, whole in zip(pairs, prompts, completions, wholes, strict=True):
        if left + right != whole:
            raise ValueError(
                f"the tokenizer merges across the boundary of {prompt[-40:]!r} and {completion[:40]!r}; "
                "use a tokenizer whose added tokens split the text (no prefix space)"
            )
    return [
        (left + right, [0] * len(left) + [1] * len(right)) for left, right in zip(prompts, completions, strict=True)
    ]
