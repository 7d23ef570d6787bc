"""Each filter rejects what it is named after and nothing else."""

from collections.abc import Callable

import pytest

from data_synthesis.facts import ItemFacts
from data_synthesis.filters import anchor_check, first_failure, leak_check, order_check, stage_check
from genrec.data.chains import Chain

Build = Callable[..., Chain]


def test_correct_chain_passes_every_check(films: ItemFacts, chain: Build) -> None:
    assert first_failure(films, chain()) is None


@pytest.mark.parametrize("stage", ["behaviour", "preferences", "intent"])
@pytest.mark.parametrize("text", ["Die Hard", "more like DIE-HARD!", "die   hard", "Ｄｉｅ Ｈａｒｄ"])
def test_title_before_stage_4_is_a_leak(films: ItemFacts, chain: Build, stage: str, text: str) -> None:
    assert leak_check(films, chain(**{stage: text})) == "leak_title"


def test_title_word_that_the_history_lacks_is_a_leak(films: ItemFacts, chain: Build) -> None:
    assert leak_check(films, chain(intent="something hard")) == "leak_title_word"


def test_title_word_that_the_history_has_is_no_leak(films: ItemFacts, chain: Build) -> None:
    # "Star Trek: Generations" after "Star Trek: First Contact": the series name is no secret
    assert leak_check(films, chain(target="m4", intent="more Star Trek")) is None
    assert leak_check(films, chain(target="m4", intent="the next generations")) == "leak_title_word"


def test_title_that_a_history_title_contains_is_a_leak_all_the_same(films: ItemFacts, chain: Build) -> None:
    leaking = chain(history=["m2"], target="m0", behaviour="Alien: Resurrection", denoised=["m2"])
    assert leak_check(films, leaking) == "leak_title"


def test_semantic_id_before_stage_4_is_a_leak(films: ItemFacts, chain: Build) -> None:
    assert leak_check(films, chain(behaviour="Fargo <a_12><b_3>")) == "leak_sid"


def test_item_id_before_stage_4_is_a_leak(films: ItemFacts, chain: Build) -> None:
    assert leak_check(films, chain(preferences="likes M10")) == "leak_id"
    assert leak_check(films, chain(preferences="likes m100")) is None


def test_five_title_words_in_a_row_are_a_leak(small_facts: Callable[..., ItemFacts]) -> None:
    facts = small_facts(["Blue Soap with Olive Oil and Honey", "Green Soap with Olive Oil and Honey"])
    told = Chain("u", ["m0"], "m1", "soap with olive oil and", "x", "y", "z", ["m0"], "test")
    assert leak_check(facts, told) == "leak_title"
    told.behaviour = "soap with olive oil"
    assert leak_check(facts, told) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Die Hard because Action", None),
        ("die hard: like aliens!", None),
        ("Die Hard is great", "no_anchor"),
        ("Die Hard because Thriller", "no_anchor"),  # Die Hard is a thriller, the history has none
        ("because Action like Aliens", "target_not_named"),
        ("Die Hard because Heat", "no_anchor"),  # not in the history
    ],
)
def test_reason_names_the_target_and_cites_the_history(
    films: ItemFacts, chain: Build, text: str, reason: str | None
) -> None:
    assert anchor_check(films, chain(recommendation=text)) == reason


def test_the_targets_own_name_is_no_anchor(films: ItemFacts, chain: Build) -> None:
    own = chain(target="m2", history=["m0"], recommendation="Alien: Resurrection is good", denoised=["m0"])
    assert anchor_check(films, own) == "no_anchor"  # "Alien" stands only inside the target's name


@pytest.mark.parametrize(
    ("denoised", "reason"),
    [
        (["m6", "m3"], None),
        (["m6", "m1", "m3"], None),
        (["m3", "m6"], "denoised_order"),
        (["m1", "m1"], "denoised_order"),
        (["m6", "m9"], "denoised_unknown"),
    ],
)
def test_denoised_is_a_subsequence_of_the_history(
    films: ItemFacts, chain: Build, denoised: list[str], reason: str | None
) -> None:
    assert order_check(films, chain(denoised=denoised)) == reason


def test_denoised_without_the_answer_when_the_history_holds_it(films: ItemFacts, chain: Build) -> None:
    again = chain(history=["m6", "m10", "m1"], denoised=["m6", "m10"])
    assert order_check(films, again) == "denoised_target"


@pytest.mark.parametrize("stage", ["behaviour", "intent", "recommendation"])
@pytest.mark.parametrize("text", ["", "  ", "..."])
def test_stage_without_words_is_rejected(films: ItemFacts, chain: Build, stage: str, text: str) -> None:
    assert stage_check(films, chain(**{stage: text})) == f"empty_{stage}"


def test_empty_denoised_history_is_rejected(films: ItemFacts, chain: Build) -> None:
    assert stage_check(films, chain(denoised=[])) == "empty_denoised"
