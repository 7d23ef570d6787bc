"""A shop of six items with a model small enough to recommend from in a moment."""

from __future__ import annotations

from typing import Any

import numpy as np
from sage_toys import VOCABULARY, toy_model
from sage_toys import toy_tokenizer as unsplit_tokenizer
from tokenizers import pre_tokenizers

from genrec.data.catalogue import Catalogue
from sage.items.names import NativeNames
from sage.items.rows import Speller
from sage.recommend import SageRecommender

TITLES = ["w1 w2 w3", "w1 w2 w4", "w5 w6 w7", "w8 w9 w10", "w1 w11 w12", "w13 w14 w15"]
VECTORS = np.random.default_rng(3).normal(size=(6, 4)).astype(np.float32)
KNOWN = np.array([True, True, True, True, True, False])
COUNTS = np.array([5, 3, 2, 1, 1, 0])
HISTORIES = [np.array([0, 1, 2, 3]), np.array([4, 0, 1]), np.array([2, 3, 4, 0]), np.array([1, 2])]


def toy_tokenizer() -> Any:
    """The toy tokenizer, splitting at spaces."""
    tokenizer = unsplit_tokenizer()
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def shop_names() -> NativeNames:
    return NativeNames.from_titles(TITLES, toy_tokenizer())


def shop_speller() -> Speller:
    return Speller(shop_names(), toy_tokenizer(), 4)


def shop_catalogue() -> Catalogue:
    return Catalogue.from_records([{"item_id": f"i{n}", "title": title} for n, title in enumerate(TITLES)])


def shop_recommender() -> SageRecommender:
    model: Any = toy_model()
    assert model.config.vocab_size == VOCABULARY
    facts = {"max_history": 4, "encoder": "hash-256-v1", "vocabulary": "native", "backbone": "toy"}
    return SageRecommender(model.eval(), toy_tokenizer(), shop_names(), shop_catalogue(), VECTORS, facts)
