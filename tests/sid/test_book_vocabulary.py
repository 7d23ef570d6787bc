"""Tokens that name their codebook: spelling, reading, embedding rows and the trie."""

from typing import Any

import numpy as np
import pytest
import torch

from genrec.decoding.trie import Trie
from genrec.sid.codes import ItemCodes
from genrec.sid.vocabulary import SidVocabulary, added_ids, extend_tokenizer, resize_and_init
from genrec.sid.vocabulary.books import BookVocabulary
from genrec.sid.vocabulary.codewords import codewords

BOOKS = [["cf_0", 2], ["cf_1", 2], ["sem_0", 3], ["sem_1", 2]]  # codes 0 1 | 2 3 | 4 5 6 | 7 8
# item 0: cf_0_1 cf_1_0 sem_0_2, item 1: cf_0_0 sem_0_2, item 2: sem_0_0 sem_1_1
CODES = ItemCodes(np.array([[1, 2, 6], [0, 6, -1], [4, 8, -1]]), (9, 9, 9), config={"books": BOOKS})
VOCABULARY = SidVocabulary.for_codes(CODES)


def test_tokens_carry_their_codebook() -> None:
    assert VOCABULARY.text_of(CODES.codes[0]) == "<cf_0_1><cf_1_0><sem_0_2>"
    assert VOCABULARY.text_of(CODES.codes[2]) == "<sem_0_0><sem_1_1>"
    assert len(VOCABULARY) == len(set(VOCABULARY.tokens())) == 9


def test_adjacent_sids_are_read_back_one_by_one() -> None:
    text = "".join(VOCABULARY.text_of(CODES.codes[item]) for item in (2, 1, 0, 2, 2))
    assert [CODES.item_of(codes) for codes in VOCABULARY.parse(text)] == [2, 1, 0, 2, 2]
    assert VOCABULARY.parse("I liked <cf_0_0><sem_0_2> and <sem_0_0><sem_1_1>.") == [(0, 6), (4, 8)]


@pytest.mark.parametrize(
    "text",
    [
        "<cf_0_1><cf_1_0>",  # no token of the last kind
        "<sem_1_0><sem_1_1>",  # begins at level 1
        "<cf_0_1> <sem_0_2>",  # not adjacent
        "<sem_0_0>",  # shorter than any item
        "<cf_0_9><sem_0_2>",  # no such code
        "<cf_0_01><sem_0_2>",  # not how it is written
        "<cf_0_0><cf_1_0><sem_0_0><sem_1_0>",  # longer than any item
    ],
)
def test_what_is_no_sid_is_not_read(text: str) -> None:
    assert VOCABULARY.parse_one(text) is None


def test_ids_and_codes_translate_in_a_tokenizer(tokenizer: Any) -> None:
    assert extend_tokenizer(tokenizer, VOCABULARY) == 9 + 4  # and the tags
    bound = VOCABULARY.bind(tokenizer)
    assert len(bound.all_ids()) == 9
    for item in range(3):
        ids = bound.ids_of(CODES.codes[item])
        assert tokenizer.decode(ids).replace(" ", "") == VOCABULARY.text_of(CODES.codes[item])
        assert bound.codes_of(ids) == CODES.tuple_of(item)
    assert bound.codes_of(bound.ids_of([1, 2])) is None
    assert bound.codes_of([*bound.ids_of([0, 6]), 5]) is None
    trie = Trie.from_codes(bound.token_codes(CODES))
    assert [trie.leaf_item(bound.ids_of(CODES.codes[item])) for item in range(3)] == [0, 1, 2]


def test_a_shared_token_starts_at_the_words_of_all_positions_that_use_it(tokenizer: Any, make_model: Any) -> None:
    extend_tokenizer(tokenizer, VOCABULARY)
    texts = ["red nail polish", "night cream", "shampoo"]
    model = make_model(300)
    old = model.get_input_embeddings().weight.detach().clone()
    new = resize_and_init(model, tokenizer, VOCABULARY, CODES, texts, noise=0.0)
    assert new == added_ids(tokenizer, VOCABULARY)
    means = [old[tokenizer(text, add_special_tokens=False)["input_ids"]].mean(dim=0) for text in texts[:2]]
    shared = tokenizer.convert_tokens_to_ids("<sem_0_2>")  # third code of item 0, second of item 1
    weight = model.get_input_embeddings().weight.detach()
    np.testing.assert_allclose(weight[shared], (means[0] + means[1]) / 2, atol=1e-5)


@pytest.mark.parametrize("books", [[("cf", 2)], [("cf_1", 2)], [("cf_0", 2), ("sem_0", 2), ("cf_1", 2)], []])
def test_other_names_are_refused(books: list[tuple[str, int]]) -> None:
    with pytest.raises(ValueError, match="must be named like cf_0, cf_1, sem_0"):
        BookVocabulary(books, 2)


def test_books_must_fill_every_level() -> None:
    with pytest.raises(ValueError, match="hold 9 codes, so every level needs that many"):
        ItemCodes(np.array([[1, 6]]), (9, 8), config={"books": BOOKS})


def test_a_shared_code_starts_at_all_its_items_in_its_own_columns() -> None:
    # sem_0_2 is the third code of item 0 and the second of item 1; text columns come first
    codes = ItemCodes(CODES.codes, CODES.codebook_sizes, config={**CODES.config, "text_dim": 2})
    vectors = np.array([[1.0, 0, 5, 0], [0, 1, 0, 5], [-1, -1, -5, -5]])  # of mean zero
    ids = [np.arange(9)] * CODES.num_levels
    rows, tokens = codewords(vectors, codes, ids, 8, seed=0)
    projection = torch.randn(4, 8, generator=torch.Generator().manual_seed(0))
    start = sum(size for name, size in BOOKS if name.startswith("cf")) + 2
    item = {token: rows[place] for place, token in enumerate(tokens)}
    assert set(tokens) == set(CODES.codes[CODES.codes >= 0].tolist())
    wanted = torch.tensor([0.5, 0.5, 0.0, 0.0]) @ projection  # items 0 and 1, text alone
    cosine = torch.nn.functional.cosine_similarity(item[start], wanted, dim=0)
    torch.testing.assert_close(cosine, torch.tensor(1.0))
