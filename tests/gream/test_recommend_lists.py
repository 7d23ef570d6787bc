"""Votes, merging and requests: the part without a model."""

from __future__ import annotations

import pytest

from genrec.data.catalogue import Catalogue
from gream.recommend.lists import Ranked, beam_row, merge, rank_by_votes
from gream.recommend.requests import check_k, find_item, resolve_history
from gream.recommend.scenario import MODES, SCENARIOS, scenario_of


def items(ranked):
    return [entry.item for entry in ranked]


def test_more_votes_win_and_equal_votes_go_by_the_best_log_probability():
    answers = [(7, -9.0, "a"), (3, -2.0, "b"), (7, -5.0, "c"), (4, -1.0, "d")]
    ranked = rank_by_votes(answers)
    assert items(ranked) == [7, 4, 3]
    assert (ranked[0].votes, ranked[0].score, ranked[0].chain) == (2, -5.0, "c")


def test_answers_without_an_item_do_not_vote():
    assert rank_by_votes([(None, -1.0, "x"), (-1, -1.0, "y")]) == []


def test_equal_votes_and_scores_are_ordered_by_item():
    assert items(rank_by_votes([(5, -1.0, ""), (2, -1.0, "")])) == [2, 5]


def test_merge_keeps_the_upper_place_of_an_item_that_both_lists_hold():
    first, second = [Ranked(1, -1.0), Ranked(2, -2.0)], [Ranked(2, -0.5), Ranked(3, -0.7), Ranked(1, -0.8)]
    merged = merge(first, second, k=10)
    assert items(merged) == [1, 2, 3]
    assert merged[1].score == -2.0


def test_merge_takes_the_first_three_of_mixed_mode_and_fills_with_the_rest():
    reasoned = [Ranked(i, 0.0) for i in (1, 2, 3, 4)]
    direct = [Ranked(i, 0.0) for i in (3, 9)]
    assert items(merge(reasoned, direct, k=6, take=3)) == [1, 2, 3, 9, 4]


def test_a_beam_row_drops_the_padding():
    assert items(beam_row([4, 2, -1], [-0.1, -0.2, float("-inf")])) == [4, 2]
    assert beam_row([4], [-0.1], "why")[0].source == "chain_beam"


@pytest.fixture
def catalogue():
    films = {"a": "Alien", "b": "Aliens", "c": "Heat", "d": "Alien"}
    return Catalogue.from_records({"item_id": key, "title": title} for key, title in films.items())


def test_ids_and_indices_may_be_mixed(catalogue):
    assert resolve_history(["b", 2, "a"], catalogue) == [1, 2, 0]


@pytest.mark.parametrize(
    ("history", "message"),
    [
        ([], "empty"),
        (["a", "nope"], r"history\[1\].*'nope'"),
        ([4], r"outside 0 \.\. 3"),
        ([-1], r"outside 0 \.\. 3"),
        ([True], "outside"),
        ("a", r"\['a'\]"),
    ],
)
def test_a_history_that_cannot_be_meant_is_refused(catalogue, history, message):
    with pytest.raises(ValueError, match=message):
        resolve_history(history, catalogue)


def test_k_is_bounded_by_what_is_left_of_the_catalogue():
    check_k(4, num_items=4)
    with pytest.raises(ValueError, match="at least one"):
        check_k(0, num_items=4)
    with pytest.raises(ValueError, match=r"3 items.*once 1 items.*at most 3"):
        check_k(4, num_items=4, excluded=1)


def test_an_item_is_found_by_id_by_whole_title_and_by_a_part_that_only_one_has(catalogue):
    assert find_item("c", catalogue) == "c"
    assert find_item("ALIENS", catalogue) == "b"
    assert find_item("hea", catalogue) == "c"


def test_an_ambiguous_title_lists_the_candidates(catalogue):
    with pytest.raises(ValueError, match=r"2 items.*a = Alien; d = Alien"):
        find_item("alien", catalogue)
    with pytest.raises(ValueError, match="no item"):
        find_item("Casablanca", catalogue)


def test_the_scenario_table_says_which_page_reasons():
    modes = {name: row.mode for name, row in SCENARIOS.items()}
    assert modes == {
        "home_feed": "direct",
        "order_page": "reasoning",
        "membership": "reasoning",
        "compliance": "reasoning",
        "complaint": "reasoning",
        "search": "mixed",
    }
    assert set(modes.values()) == set(MODES)
    assert [name for name, row in SCENARIOS.items() if row.trace] == ["compliance", "complaint"]
    with pytest.raises(ValueError, match="home_feed"):
        scenario_of("nowhere")
