"""Three ways to write items: the native one adds no token, known items never depend on new ones."""

from __future__ import annotations

import numpy as np
import pytest

from genrec.decoding.trie import Trie
from genrec.llm.compact_tokenizer import train_compact_tokenizer
from sage.items.vocabularies import VOCABULARIES, build_vocabulary

TITLES = [f"Lantern number {n} by Northfell" for n in range(12)] + ["Camp Stove", "Camp Stove"]
VECTORS = np.random.default_rng(0).normal(size=(14, 6)).astype(np.float32)
KNOWN = np.array([n % 4 != 1 for n in range(14)])


def build(kind: str, titles: list[str] = TITLES, known: np.ndarray = KNOWN) -> tuple:
    tokenizer = train_compact_tokenizer(TITLES, 400)
    built = build_vocabulary(kind, titles, tokenizer, known, VECTORS[: len(titles)], num_levels=2, codebook_size=6)
    return built, tokenizer


@pytest.mark.parametrize("kind", VOCABULARIES)
def test_every_item_has_a_spelling_of_its_own(kind: str) -> None:
    built, _ = build(kind)
    trie = Trie.from_codes(built.names.token_codes())
    assert trie.num_items == len(TITLES)
    assert built.seconds >= 0


def test_only_the_native_vocabulary_adds_no_token() -> None:
    added = {kind: build(kind)[0].new_tokens for kind in VOCABULARIES}
    assert added["native"] == 0
    assert added["atomic"] == len(TITLES)
    assert added["rq_index"] >= 12


@pytest.mark.parametrize("kind", ["native", "rq_index"])
def test_spellings_of_known_items_do_not_depend_on_new_ones(kind: str) -> None:
    kept = np.flatnonzero(KNOWN)
    whole, _ = build(kind)
    if kind == "native":
        alone, _ = build(kind, [TITLES[i] for i in kept], np.ones(len(kept), dtype=bool))
        assert [whole.names.token_ids[i] for i in kept] == list(alone.names.token_ids)
    else:
        tokenizer = train_compact_tokenizer(TITLES, 400)
        alone = build_vocabulary(
            kind, [TITLES[i] for i in kept], tokenizer, np.ones(len(kept), dtype=bool), VECTORS[kept],
            num_levels=2, codebook_size=6,
        )  # fmt: skip
        assert [whole.names.names[i] for i in kept] == list(alone.names.names)


def test_bad_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown"):
        build_vocabulary("words", TITLES, None, KNOWN)
    with pytest.raises(ValueError, match="text vectors"):
        build_vocabulary("rq_index", TITLES, train_compact_tokenizer(TITLES, 300), KNOWN)
