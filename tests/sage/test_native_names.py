"""Names in the tokenizer's own tokens: unique, stable, safe, and decodable over a trie."""

from pathlib import Path
from typing import Any

import pytest
import torch

from genrec.decoding.beam import trie_beam_search
from genrec.llm.backbones import TinyConfig, build_tiny
from genrec.llm.compact_tokenizer import train_compact_tokenizer
from sage.items.names import NativeNames, candidates

TITLES = [
    "Red Nail Polish Set",
    "Red Nail Polish Remover",
    "Red Nail Polish Set",
    "Night Cream",
    "Night Cream For Dry Skin",
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return train_compact_tokenizer(TITLES * 3, 300)


@pytest.fixture(scope="module")
def names(tokenizer: Any) -> NativeNames:
    return NativeNames.from_titles(TITLES, tokenizer)


def test_candidates_grow_by_a_word_and_then_count() -> None:
    found = candidates("a b c d")
    assert [next(found) for _ in range(4)] == ["a b c", "a b c d", "a b c d 2", "a b c d 3"]


def test_a_name_is_the_shortest_free_beginning_of_the_title(names: NativeNames) -> None:
    assert names.names == (
        "Red Nail Polish",
        "Red Nail Polish Remover",
        "Red Nail Polish Set",
        "Night Cream",
        "Night Cream For",
    )


def test_equal_titles_are_numbered(tokenizer: Any) -> None:
    assert NativeNames.from_titles(["Soap"] * 3, tokenizer).names == ("Soap", "Soap 2", "Soap 3")


def test_no_token_is_added_and_no_added_token_is_used(tokenizer: Any) -> None:
    before = len(tokenizer), dict(tokenizer.get_added_vocab())
    built = NativeNames.from_titles(["<|im_end|>", "cream <|im_start|> x", *TITLES], tokenizer)
    assert (len(tokenizer), dict(tokenizer.get_added_vocab())) == before
    used = {token for ids in built.token_ids for token in ids}
    assert used.isdisjoint(tokenizer.get_added_vocab().values())
    assert max(used) < len(tokenizer)


def test_new_items_leave_old_names_alone(names: NativeNames, tokenizer: Any) -> None:
    longer = names.with_titles(["Night Cream", "Hair Brush"], tokenizer)
    assert longer.names[: len(names)] == names.names
    assert longer.token_ids[: len(names)] == names.token_ids
    assert longer.names[len(names) :] == ("Night Cream 2", "Hair Brush")
    assert longer.trie().leaf_item(longer.answer_ids(6)) == 6


def test_a_name_may_begin_another_one(names: NativeNames) -> None:
    trie = names.trie()  # would refuse an answer that begins another
    assert [trie.leaf_item(names.answer_ids(item)) for item in range(len(names))] == list(range(len(names)))


def test_beam_search_over_names_lists_every_item_once(names: NativeNames, tokenizer: Any) -> None:
    shape = TinyConfig(16, 1, num_heads=2, num_kv_heads=2, intermediate=32, max_positions=64)
    model = build_tiny(shape, len(tokenizer)).eval()
    prompt = torch.tensor([tokenizer("I bought", add_special_tokens=False)["input_ids"]])
    found = trie_beam_search(model, prompt, torch.ones_like(prompt), names.trie(), num_beams=8, num_return=5)
    assert sorted(found.items[0].tolist()) == [0, 1, 2, 3, 4]


def test_a_saved_vocabulary_loads_equal(names: NativeNames, tmp_path: Path) -> None:
    names.save(tmp_path / "names.json")
    assert NativeNames.load(tmp_path / "names.json") == names
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match=r"other\.json holds no 'sage\.native_names/1' names"):
        NativeNames.load(tmp_path / "other.json")


def test_an_item_without_title_is_named_by_its_number(tokenizer: Any) -> None:
    assert NativeNames.from_titles(["Soap", " "], tokenizer).names == ("Soap", "item 1")


def test_no_titles_are_an_error(tokenizer: Any) -> None:
    with pytest.raises(ValueError, match="no titles"):
        NativeNames.from_titles([], tokenizer)


def test_a_tokenizer_that_spells_all_names_alike_is_refused() -> None:
    from sage_toys import toy_tokenizer

    with pytest.raises(ValueError, match="knows digits"):
        NativeNames.from_titles(["some title", "another title"], toy_tokenizer())  # everything is its unknown word
