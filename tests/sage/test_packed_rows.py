"""Packed rows: every item but the first is a target once, and prompts are beginnings of rows, token for token."""

from __future__ import annotations

import numpy as np
import pytest
from sage_shop import HISTORIES, shop_names, shop_speller, toy_tokenizer

from sage.items.rows import Speller, training_rows, windows


def test_windows_by_hand() -> None:
    # 7 items, 3 shown, 1 of context: targets 1 2 3 of items 0-3; then 4 5 6 of items 3-6
    assert windows(7, 3, 1) == [(0, 1, 4), (3, 4, 7)]
    assert windows(1, 3, 1) == []


@pytest.mark.parametrize("overlap", [0, 1, 2, 9])
@pytest.mark.parametrize("length", [2, 5, 17])
def test_every_item_but_the_first_is_a_target_once(length: int, overlap: int) -> None:
    found = [place for start, first, stop in windows(length, 4, overlap) for place in range(first, stop)]
    assert found == list(range(1, length))
    assert all(stop - start <= 5 and start < first for start, first, stop in windows(length, 4, overlap))


def test_a_prompt_is_the_beginning_of_the_row() -> None:
    speller = shop_speller()
    (row,) = speller.rows([0, 1, 2])
    prompt = speller.prompt([0, 1])
    assert row["input_ids"] == prompt + speller.names.answer_ids(2)


def test_masks_and_lengths_belong_to_the_targets() -> None:
    speller = shop_speller()
    (row,) = speller.rows([0, 1, 2])
    of = [len(speller.names.answer_ids(item)) for item in (0, 1, 2)]
    opening = len(speller.opening)
    assert row["completion_mask"] == [0] * (opening + of[0]) + [1] * (of[1] + of[2])
    assert row["history_length"] == [0] * (opening + of[0]) + [1] * of[1] + [2] * of[2]


def test_the_table_holds_all_histories() -> None:
    rows = training_rows(HISTORIES, shop_speller())
    names = shop_names()
    targets = sum(sum(mask) for mask in rows["completion_mask"])
    assert targets == sum(len(names.answer_ids(int(i))) for history in HISTORIES for i in history[1:])


def test_nothing_to_learn_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to learn"):
        training_rows([np.array([1])], shop_speller())
    with pytest.raises(ValueError, match="max_history"):
        Speller(shop_names(), toy_tokenizer(), 0)
