"""What the catalogue says: attributes, eras, weights, and links between items."""

import math
from collections.abc import Callable

import pytest

from data_synthesis.facts import ERA_WEIGHT, ItemFacts
from data_synthesis.links import interests, link_items


def test_attributes_of_more_than_half_of_the_items_and_long_texts_are_left_out(
    small_facts: Callable[..., ItemFacts],
) -> None:
    brands = ["Alpha"] * 6 + ["Beta"] * 6
    found = [{"brand": [b], "categories": ["Shop", "unknown"], "description": ["long"]} for b in brands]
    facts = small_facts([f"{brand} soap" for brand in brands], found)
    assert [[a.value for a in facts.attributes[item].values()] for item in (0, 6)] == [["Alpha"], ["Beta"]]


def test_weight_is_log_inverse_document_frequency(films: ItemFacts) -> None:
    assert films.weight[("drama",)] == pytest.approx(math.log(12 / 3) + 0.1)
    assert films.weight[("1980s",)] == pytest.approx(ERA_WEIGHT * (math.log(12 / 2) + 0.1))


def test_crowded_decade_keeps_years_and_others_become_decades(films: ItemFacts) -> None:
    eras = [[a.value for a in found.values() if a.kind == "era"] for found in films.attributes]
    assert eras[0] == ["1970s"]
    assert eras[1] == ["1980s"]
    assert eras[3] == ["1996"]  # 7 of 12 films are of the 1990s


def test_unknown_item_id_is_an_error_that_names_it(films: ItemFacts) -> None:
    with pytest.raises(ValueError, match="'zzz' is not in the catalogue of 12 items"):
        films.index_of("zzz")


def test_interests_are_counted_by_hand(films: ItemFacts) -> None:
    found = {i.attribute.value: i for i in interests(films, [5, 6, 1, 3])}  # Cop Land, Fargo, Aliens, Star Trek
    assert found["Crime"].items == (5, 6)
    assert found["Crime"].lasting == 0.5
    decay = [0.5 ** (k / 3) for k in (3, 2, 1, 0)]
    assert found["Sci-Fi"].recent == pytest.approx((decay[2] + decay[3]) / sum(decay))
    assert found["Sci-Fi"].recent > found["Crime"].recent


def test_items_of_one_series_share_its_line(films: ItemFacts) -> None:
    link = link_items(films, 3, 4)
    assert link.line is not None
    assert link.line.value == "Star Trek"
    assert link.shared == {("scifi",)} or link.shared == {("sci", "fi")}


def test_one_word_is_a_line_only_if_it_is_a_main_title(films: ItemFacts) -> None:
    link = link_items(films, 2, 0)  # "Alien: Resurrection" quotes the main title "Alien"
    assert link.line is not None
    assert link.line.value == "Alien"


def test_unrelated_items_have_no_strength(films: ItemFacts) -> None:
    assert link_items(films, 5, 9).strength == 0  # Cop Land (1997), Toy Story (1995)
