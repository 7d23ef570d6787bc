"""Plans say true things about the history, chosen because they lead to the target."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_synthesis.facts import ItemFacts
from data_synthesis.plan import make_plan

HISTORIES = st.lists(st.integers(0, 11), min_size=1, max_size=8)


def test_same_series_is_the_intent_when_titles_show_one(films: ItemFacts) -> None:
    plan = make_plan(films, [6, 9, 3], 4, keep=4)  # Fargo, Toy Story, Star Trek -> Star Trek: Generations
    assert (plan.mode, plan.anchor) == ("series", 3)
    assert plan.focus is not None
    assert plan.focus.value == "Star Trek"


def test_preferences_are_those_that_history_and_target_share(films: ItemFacts) -> None:
    plan = make_plan(films, [9, 6, 7], 5, keep=4)  # Toy Story, Fargo, Emma -> Cop Land (Crime, Drama, 1997)
    assert {i.attribute.value for i in plan.preferences} == {"Drama", "Crime"}
    assert plan.anchor == 6


def test_nothing_shared_falls_back_to_the_dominant_interest(films: ItemFacts) -> None:
    plan = make_plan(films, [5, 6, 7], 9, keep=4)  # three dramas -> Toy Story
    assert plan.mode == "explore"
    assert plan.focus is not None
    assert plan.focus.value == "Drama"


def test_interest_of_old_items_only_is_a_return(films: ItemFacts) -> None:
    assert make_plan(films, [8, 5, 6, 7], 9, keep=4).mode == "return"  # comedy long ago -> Toy Story


def test_interest_that_grew_lately_is_a_drift(films: ItemFacts) -> None:
    history = [8, 9, 7, 10, 11, 1, 3]  # science fiction only at the end
    assert make_plan(films, history, 0, keep=4).mode == "drift"


def test_title_equal_to_the_targets_is_never_evidence(films: ItemFacts) -> None:
    plan = make_plan(films, [2, 1], 0, keep=4)  # "Alien: Resurrection" would name the target "Alien"
    assert plan.evidence == (1,)
    assert plan.mode != "series"


def test_item_without_any_attribute_still_gets_a_plan(small_facts: Callable[..., ItemFacts]) -> None:
    plan = make_plan(small_facts(["Item one thing", "Second object here"]), [0], 1, keep=4)
    assert (plan.focus, plan.reason, plan.anchor) == (None, None, 0)


@given(history=HISTORIES, target=st.integers(0, 11), keep=st.integers(1, 5))
def test_plan_holds_for_any_history(films: ItemFacts, history: list[int], target: int, keep: int) -> None:
    plan = make_plan(films, history, target, keep)
    keys = {key for item in history for key in films.attributes[item]}
    assert all(i.attribute.key in keys for i in plan.preferences)
    assert plan.anchor in history
    assert len(plan.denoised) <= keep
    assert target not in plan.denoised
    last = {item: at for at, item in enumerate(history)}
    assert [last[i] for i in plan.denoised] == sorted(last[i] for i in plan.denoised)
    assert [last[i] for i in plan.evidence] == sorted(last[i] for i in plan.evidence)


@pytest.mark.parametrize("keep", [1, 3])
def test_denoised_history_keeps_the_most_related_items(films: ItemFacts, keep: int) -> None:
    plan = make_plan(films, [9, 5, 8, 6, 7], 11, keep)  # -> Heat (Crime, Thriller, 1995)
    assert set(plan.denoised) <= {9, 5, 6}  # Toy Story shares 1995, Cop Land and Fargo share Crime
    assert len(plan.denoised) == keep
