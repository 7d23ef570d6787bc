"""Text is compared as words; names are title beginnings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_synthesis.names import ItemNames, cut_at_word, short_names
from data_synthesis.text import clean, contains, find_run, words


def test_words_ignore_case_punctuation_entities_and_apostrophes() -> None:
    assert words("L&#39;Oreal 5-in-1, WOW!") == ("loreal", "5", "in", "1", "wow")


def test_full_width_letters_equal_plain_ones() -> None:
    assert words("ＡＬＩＥＮ") == words("alien")


@given(st.text())
def test_cleaned_text_is_one_line_without_control_characters(text: str) -> None:
    cleaned = clean(text)
    assert cleaned == cleaned.strip()
    assert all(character.isprintable() or character == " " for character in cleaned if ord(character) < 128)
    assert "\n" not in cleaned


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=3))
def test_find_run_agrees_with_the_definition(haystack: list[str], needle: list[str]) -> None:
    places = [at for at in range(len(haystack)) if needle and haystack[at : at + len(needle)] == needle]
    assert find_run(haystack, needle) == (places[0] if places else -1)
    assert contains(haystack, needle) == bool(places)


def test_short_name_has_three_words_and_does_not_end_in_a_function_word() -> None:
    titles = [
        "The Good, the Bad and the Ugly",
        "Man Without a Face, The",
        "Olay Total Effects, 1.7 Fluid Ounce",
    ]
    assert short_names(titles) == ["The Good, the Bad", "Man Without a Face", "Olay Total Effects"]


def test_short_name_grows_by_a_word_to_keep_two_items_apart() -> None:
    titles = ["OPI Nail Lacquer Red", "OPI Nail Lacquer Blue", "Zoya Top Coat Clear"]
    assert short_names(titles) == ["OPI Nail Lacquer Red", "OPI Nail Lacquer Blue", "Zoya Top Coat"]


def test_equal_titles_are_not_unique() -> None:
    assert ItemNames(["Sabrina", "Sabrina", "Heat"]).unique == [False, False, True]


@given(st.text(min_size=1, max_size=40).filter(lambda text: clean(text) != ""))
def test_every_title_has_a_name_that_is_part_of_it(title: str) -> None:
    names = ItemNames([title])
    assert names.short[0]
    assert names.short[0] in names.titles[0]


@pytest.mark.parametrize(("limit", "cut"), [(9, "one two"), (7, "one two"), (6, "one"), (30, "one two three")])
def test_cut_at_word_keeps_whole_words(limit: int, cut: str) -> None:
    assert cut_at_word("one two three", limit) == cut
