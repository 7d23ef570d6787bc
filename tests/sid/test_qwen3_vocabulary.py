"""The real Qwen3 tokenizer: 151,669 tokens + 1,024."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from genrec.fetch import cached
from genrec.llm.assets import QWEN3_TOKENIZER, qwen3_tokenizer_folder
from genrec.sid.codes import ItemCodes
from genrec.sid.vocabulary import PaddedRowsMask, SidVocabulary, added_ids, extend_tokenizer, resize_and_init

VOCABULARY = SidVocabulary((256,) * 4)
ROWS = 151936  # of the published matrices: 267 more than the tokenizer has ids

pytestmark = pytest.mark.skipif(
    not cached("npm", QWEN3_TOKENIZER).is_dir(),
    reason=f"{QWEN3_TOKENIZER} is not in the cache; genrec.llm.assets.qwen3_tokenizer_folder() fetches it",
)


@pytest.fixture(scope="module")
def plain() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(qwen3_tokenizer_folder())


@pytest.fixture(scope="module")
def extended() -> Any:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(qwen3_tokenizer_folder())
    assert extend_tokenizer(tokenizer, VOCABULARY) == 1024
    return tokenizer


def test_151669_tokens_become_152693(plain: Any, extended: Any) -> None:
    assert len(plain) == 151_669
    assert len(extended) == 151_669 + 1_024
    assert VOCABULARY.bind(extended).all_ids().tolist() == list(range(151_669, 152_693))


def test_every_sid_token_round_trips(extended: Any) -> None:
    text = "".join(VOCABULARY.tokens())
    ids = extended(text)["input_ids"]
    assert ids == list(range(151_669, 152_693))
    assert extended.decode(ids, skip_special_tokens=True) == text


def test_sids_inside_prose_round_trip(extended: Any) -> None:
    text = "Träume, 日本語 & <a_1><b_2><c_3><d_255>,<a_0> done.\n<think>\nwhy\n</think>"
    assert extended.decode(extended(text)["input_ids"], skip_special_tokens=True) == text


def test_a_combining_character_cannot_dissolve_a_sid(extended: Any) -> None:
    assert extended("<a_1>\u0338")["input_ids"][0] == 151_670


def test_text_without_sids_is_tokenised_as_before(plain: Any, extended: Any) -> None:
    text = "A <b> tag, <a_256> and a <e_1>; don't stop, 123."
    assert extended(text)["input_ids"] == plain(text)["input_ids"]


@pytest.mark.parametrize("thinking", [True, False])
def test_the_chat_template_is_intact(plain: Any, extended: Any, thinking: bool) -> None:
    messages = [{"role": "system", "content": "Recommend."}, {"role": "user", "content": "Hello"}]
    options = {"tokenize": False, "add_generation_prompt": True, "enable_thinking": thinking}
    assert extended.apply_chat_template(messages, **options) == plain.apply_chat_template(messages, **options)


def test_a_saved_extended_tokenizer_loads_equal(extended: Any, tmp_path: Any) -> None:
    from transformers import AutoTokenizer

    extended.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    text = "polish <a_1><b_2><c_3><d_4>\u0338 <|im_end|> end"
    assert len(again) == len(extended)
    assert again(text)["input_ids"] == extended(text)["input_ids"]
    assert again.chat_template == extended.chat_template


def test_padded_rows_become_sids_first_and_the_matrix_grows_by_the_rest(
    extended: Any, make_model: Callable[..., Any]
) -> None:
    model = make_model(ROWS)
    before = model.get_input_embeddings().weight.detach()[151_669:ROWS].clone()
    items = ItemCodes(np.array([[0, 0, 0, 0], [1, 2, 3, 4]]), (256,) * 4)
    new = resize_and_init(model, extended, VOCABULARY, items, ["red nail polish", "night cream"])
    weight = model.get_input_embeddings().weight
    assert new == added_ids(extended, VOCABULARY) == list(range(151_669, 152_693))
    assert weight.shape == (152_693, 32)
    assert not (weight[151_669:ROWS] == before).all(dim=1).any()


def test_rows_without_a_token_are_masked_in_sampling(plain: Any, make_model: Callable[..., Any]) -> None:
    model = make_model(ROWS, False)
    with torch.no_grad():
        model.get_output_embeddings().weight.zero_()
    sampled = model.generate(
        torch.tensor([[1, 2, 3]] * 4),
        do_sample=True,
        top_k=0,
        max_new_tokens=4,
        pad_token_id=0,
        logits_processor=[PaddedRowsMask(len(plain))],
    )
    assert (sampled < 151_669).all()
