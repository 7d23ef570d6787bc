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
    from genrec.llm.backbones import TinyConfig, build_tiny

    shape = TinyConfig(32, 1, num_heads=2, num_kv_heads=1, intermediate=32, max_positions=128, tied=tied)
    return build_tiny(shape, rows, seed).eval()


@pytest.fixture
def make_model() -> Any:
    """The builder of small random models."""
    return small_model
