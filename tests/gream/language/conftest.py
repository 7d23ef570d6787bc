"""The toy shop, an index over it and formatters for several tokenizers."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from genrec.data import load_dataset
from genrec.data.chains import Chain
from genrec.llm.compact_tokenizer import train_compact_tokenizer
from genrec.sid.codes import ItemCodes
from genrec.sid.vocabulary import SidVocabulary, extend_tokenizer
from gream.prompts import Formatter, PromptConfig, prompt_corpus


def make_codes(num_items: int, levels: int = 3, base: int = 6) -> ItemCodes:
    """Unique codes: a shuffled enumeration in the given base."""
    chosen = np.random.default_rng(0).permutation(base**levels)[:num_items]
    codes = np.stack([chosen // base ** (levels - 1 - level) % base for level in range(levels)], axis=1)
    return ItemCodes(codes, [base] * levels)


def make_shop() -> SimpleNamespace:
    """Data set, split, codes and vocabulary."""
    dataset = load_dataset("toy", num_users=60, num_items=60)
    codes = make_codes(dataset.num_items)
    return SimpleNamespace(
        dataset=dataset,
        split=dataset.split(),
        codes=codes,
        vocabulary=SidVocabulary.for_codes(codes),
        catalogue=dataset.catalogue,
    )


@pytest.fixture(scope="session")
def shop() -> SimpleNamespace:
    """The toy shop."""
    return make_shop()


@pytest.fixture(scope="session")
def make_formatter(shop: SimpleNamespace) -> Any:
    """(config, template, tokenizer) -> formatter."""

    def make(config: PromptConfig | None = None, template: str | None = None, tokenizer: Any = None) -> Formatter:
        if tokenizer is None:
            tokenizer = train_compact_tokenizer([*shop.catalogue.texts(), *prompt_corpus(20)], vocab_size=700)
        extend_tokenizer(tokenizer, shop.vocabulary)
        if template is not None:
            tokenizer.chat_template = template
        return Formatter(tokenizer, shop.codes, shop.vocabulary, shop.catalogue, config)

    return make


@pytest.fixture(scope="session")
def formatter(make_formatter: Any) -> Formatter:
    """The formatter over a compact tokenizer."""
    return make_formatter()


@pytest.fixture(scope="session")
def make_chain(shop: SimpleNamespace) -> Any:
    """(user, changes) -> a chain over that user's training items."""

    def make(user: int = 0, **changes: Any) -> Chain:
        ids = [shop.catalogue.item_ids[int(item)] for item in shop.split.train[user]]
        target = shop.catalogue.titles[int(shop.split.train[user][-1])]
        fields: dict[str, Any] = {
            "user_id": shop.dataset.user_ids[user],
            "history": ids[:-1],
            "target": ids[-1],
            "behaviour": "bought camping gear, then coffee tools",
            "preferences": "sturdy outdoor brands",
            "intent": "complete the kit",
            "recommendation": f"{target}: goes with the last purchase",
            "denoised": ids[:-1][::2],
            "teacher": "test",
        }
        return Chain(**{**fields, **changes})

    return make
