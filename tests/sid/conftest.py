from __future__ import annotations

from typing import Any

import pytest

from genrec.llm.compact_tokenizer import train_compact_tokenizer

TEXTS = [
    "red nail polish with a glossy finish",
    "blue nail polish, matte",
    "night cream for dry skin",
    "day cream for oily skin with sun filter",
    "shampoo against dandruff",
    "hair conditioner for long hair",
] * 3


@pytest.fixture
def tokenizer() -> Any:
    """A compact tokenizer of 300 tokens."""
    return train_compact_tokenizer(TEXTS, 300)


def small_model(rows: int, tied: bool = True, seed: int = 0) -> Any:
    """A random Qwen3 with `rows` embedding rows of width 32."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=rows,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=128,
        tie_word_embeddings=tied,
    )
    return Qwen3ForCausalLM(config).eval()


@pytest.fixture
def make_model() -> Any:
    """The builder of small random models."""
    return small_model
