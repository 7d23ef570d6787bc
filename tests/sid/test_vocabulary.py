from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.sid.codes import ItemCodes
from genrec.sid.vocabulary import TAGS, SidVocabulary, added_ids, extend_tokenizer

VOCABULARY = SidVocabulary((3, 12, 2))


def test_tokens_are_listed_level_by_level() -> None:
    tokens = VOCABULARY.tokens()
    assert len(tokens) == len(VOCABULARY) == 17
    assert tokens[:4] == ["<a_0>", "<a_1>", "<a_2>", "<b_0>"]
    assert tokens[-1] == "<c_1>"


def test_text_of_codes_has_no_separator_and_skips_padding() -> None:
    assert VOCABULARY.text_of((2, 11, 0)) == "<a_2><b_11><c_0>"
    assert SidVocabulary((3, 12, 2), nominal_levels=2).text_of((2, 11, -1)) == "<a_2><b_11>"


@pytest.mark.parametrize(("level", "code"), [(0, 3), (3, 0), (-1, 0), (1, -1)])
def test_a_token_outside_the_codebooks_is_an_error(level: int, code: int) -> None:
    with pytest.raises(ValueError, match=f"no code {code} at level {level}"):
        VOCABULARY.token(level, code)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 11), st.integers(0, 1)), max_size=4),
    st.text(max_size=5),
)
def test_parse_inverts_text_of(sids: list[tuple[int, int, int]], between: str) -> None:
    text = between.replace("<", "").join(VOCABULARY.text_of(sid) for sid in sids)
    assert VOCABULARY.parse(text) == sids


@pytest.mark.parametrize(
    "text",
    [
        "<a_1><b_2>",  # incomplete
        "<a_1> <b_2><c_0>",  # torn apart
        "<b_2><a_1><c_0>",  # wrong order
        "<a_1><b_12><c_0>",  # no such code
        "<a_01><b_2><c_0>",  # not how we write 1
        "<a_1><b_2><d_0>",  # no such level
        "",
    ],
)
def test_what_is_no_sid_is_not_parsed(text: str) -> None:
    assert VOCABULARY.parse(text) == []
    assert VOCABULARY.parse_one(text) is None


def test_a_broken_sid_does_not_spoil_the_next_one() -> None:
    assert VOCABULARY.parse("<a_1><b_2><a_0><b_3><c_1> and <c_0>") == [(0, 3, 1)]


def test_parse_one_wants_exactly_one_sid() -> None:
    assert VOCABULARY.parse_one(" <a_1><b_2><c_0>\n") == (1, 2, 0)
    assert VOCABULARY.parse_one("item <a_1><b_2><c_0>") is None
    assert VOCABULARY.parse_one("<a_1><b_2><c_0><a_1><b_2><c_0>") is None
    assert VOCABULARY.parse_one("<a_1><b_2><c_0><c_1>") is None


def test_suffix_tokens_are_optional() -> None:
    vocabulary = SidVocabulary((3, 12, 2), nominal_levels=2)
    assert vocabulary.parse("<a_1><b_2><a_1><b_2><c_1>") == [(1, 2), (1, 2, 1)]


def test_levels_may_carry_the_name_of_their_codebook() -> None:
    vocabulary = SidVocabulary((20, 20), names=("cf_0", "sem_1"))
    assert vocabulary.text_of((17, 3)) == "<cf_0_17><sem_1_3>"
    assert vocabulary.parse_one("<cf_0_17><sem_1_3>") == (17, 3)


@pytest.mark.parametrize("names", [("a",), ("a", "a"), ("a", "B>")])
def test_names_that_clash_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="names"):
        SidVocabulary((2, 2), names=names)


def test_extension_adds_ordinary_tokens_once(tokenizer: Any) -> None:
    before = len(tokenizer)
    assert extend_tokenizer(tokenizer, VOCABULARY) == 17 + len(TAGS)
    assert len(tokenizer) == before + 21
    assert extend_tokenizer(tokenizer, VOCABULARY) == 0
    assert not set(VOCABULARY.tokens()) & set(tokenizer.all_special_tokens)


def test_a_sid_is_one_token_per_level_and_survives_decoding(tokenizer: Any) -> None:
    extend_tokenizer(tokenizer, VOCABULARY)
    bound = VOCABULARY.bind(tokenizer)
    text = f"buy {VOCABULARY.text_of((1, 2, 0))}{VOCABULARY.text_of((2, 11, 1))}<think>x</think>."
    ids = tokenizer(text)["input_ids"]
    assert [i for i in ids if i in set(bound.all_ids().tolist())] == bound.ids_of((1, 2, 0)) + bound.ids_of((2, 11, 1))
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_a_combining_character_cannot_dissolve_a_sid(tokenizer: Any) -> None:
    extend_tokenizer(tokenizer, VOCABULARY)
    ids = tokenizer("<a_1>\u0338")["input_ids"]
    assert ids[0] == VOCABULARY.bind(tokenizer).token_ids[0][1]


def test_a_reloaded_tokenizer_spells_the_same(tokenizer: Any, tmp_path: Any) -> None:
    from transformers import AutoTokenizer

    extend_tokenizer(tokenizer, VOCABULARY)
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    text = "red <a_1><b_2><c_0>\u0338 <answer>"
    assert again(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert len(again) == len(tokenizer)


def test_codes_and_ids_translate_both_ways(tokenizer: Any) -> None:
    extend_tokenizer(tokenizer, VOCABULARY)
    bound = VOCABULARY.bind(tokenizer)
    ids = bound.ids_of((1, 2, 0))
    assert bound.codes_of(ids) == (1, 2, 0)
    assert bound.codes_of(ids[::-1]) is None
    assert bound.codes_of(ids[:2]) is None
    assert bound.codes_of([*ids, ids[0]]) is None
    assert bound.codes_of([0, 1, 2]) is None


def test_token_codes_are_the_ids_of_every_item(tokenizer: Any) -> None:
    vocabulary = SidVocabulary((3, 2), nominal_levels=1)
    extend_tokenizer(tokenizer, vocabulary)
    bound = vocabulary.bind(tokenizer)
    items = ItemCodes(np.array([[2, 1], [0, -1]]), (3, 2), nominal_levels=1)
    first = int(bound.token_ids[0][0])
    assert bound.token_codes(items).tolist() == [[first + 2, first + 4], [first, -1]]


def test_a_tokenizer_without_sids_is_refused(tokenizer: Any) -> None:
    with pytest.raises(ValueError, match=r"lacks 17 of 17 SID tokens .first: <a_0>.; call extend_tokenizer"):
        VOCABULARY.bind(tokenizer)


def test_added_ids_hold_the_tags_only_where_we_added_them(tokenizer: Any) -> None:
    base = len(tokenizer)
    extend_tokenizer(tokenizer, VOCABULARY)
    assert added_ids(tokenizer, VOCABULARY) == list(range(base, base + 21))


def test_a_tokenizer_with_its_own_think_token_gets_no_tags(tokenizer: Any) -> None:
    tokenizer.add_tokens(["<think>", "</think>"])
    assert extend_tokenizer(tokenizer, VOCABULARY) == 17
    assert len(added_ids(tokenizer, VOCABULARY)) == 17
