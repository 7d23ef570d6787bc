"""Feedback: what the rules read, how constraints and vectors follow, states that cannot be forged into errors."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llmrec_shop import Talker, shop_recommender, shop_records

from genrec.data.catalogue import Catalogue
from genrec.data.errors import DataError
from genrec.data.split import Targets
from llmrec.generative.cli import resolve, talk
from llmrec.generative.feedback.apply import allowed_items, moved, relaxed
from llmrec.generative.feedback.llm_parser import ChatParser
from llmrec.generative.feedback.rules import RuleParser
from llmrec.generative.feedback.state import ConversationState
from llmrec.generative.feedback.wishes import Wishes
from llmrec.generative.metrics.simulator import SimulatedUser, gain_table, simulate
from llmrec.generative.records import Records

RECORDS = shop_records()
PARSER = RuleParser(RECORDS)
SHOWN = ["a1", "b1", "c1"]


DROP_ALL = {"disliked": SHOWN, "drop_items": SHOWN}
DROP_FIRST = {"disliked": ["a1"], "drop_items": ["a1"]}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("not this brand: Northfell", {"avoid": ["Northfell"]}),
        ("under 20", {"max_price": 20.0}),
        ("over $1,000.50 please", {"min_price": 1000.5}),
        ("no more than 20", {"max_price": 20.0}),
        ("not over 20, not before 1990", {"max_price": 20.0, "min_year": 1990}),
        ("longer battery", {"more": ["longer battery"]}),
        ("not the second one", {"disliked": ["b1"], "drop_items": ["b1"]}),
        ("more like the last", {"liked": ["c1"]}),
        ("only Coffee", {"require": ["Coffee"]}),
        ("nothing but Coffee", {"require": ["Coffee"]}),
        ("more Camping but not Tarnwood", {"more": ["Camping"], "avoid": ["Tarnwood"]}),
        ("Camping without Tarnwood", {"more": ["Camping"], "avoid": ["Tarnwood"]}),
        ("from the 80s", {"min_year": 1980, "max_year": 1989}),
        ("before 1990", {"max_year": 1989}),
        ("since 2000", {"min_year": 2000}),
        ("", {}),
        # a denial goes on over a list of names, up to "but", a verb or a wish in other words
        ("not Northfell, Tarnwood", {"avoid": ["Northfell", "Tarnwood"]}),
        ("not Northfell and Tarnwood", {"avoid": ["Northfell", "Tarnwood"]}),
        ("not Northfell, Tarnwood, or Bellmore", {"avoid": ["Northfell", "Tarnwood", "Bellmore"]}),
        ("not Northfell, but Tarnwood", {"avoid": ["Northfell"], "more": ["Tarnwood"]}),
        ("not Northfell, more Tarnwood", {"avoid": ["Northfell"], "more": ["Tarnwood"]}),
        ("not Northfell. Tarnwood", {"avoid": ["Northfell"], "more": ["Tarnwood"]}),
        ("not heavy or noisy, quiet", {"less": ["heavy", "noisy"], "more": ["quiet"]}),
        # nothing, none
        ("none of these", DROP_ALL),
        ("none", DROP_ALL),
        ("nothing from Northfell", {"avoid": ["Northfell"]}),
        ("nothing like this one", DROP_FIRST),
        # values of what was shown
        ("not this brand", {"avoid": ["Northfell"]}),
        ("only this category", {"require": ["Camping"]}),
        ("not these brands", {"avoid": ["Northfell", "Bellmore", "Hartwood"]}),
        ("not this brand, under 20, longer battery",
         {"avoid": ["Northfell"], "max_price": 20.0, "more": ["longer battery"]}),
        ("not this one, under 20, longer battery", {**DROP_FIRST, "max_price": 20.0, "more": ["longer battery"]}),
        # titles, and what was said before
        ('not "Tarnwood Tent", more Coffee', {"disliked": ["a2"], "drop_items": ["a2"], "more": ["Coffee"]}),
        ("not Coffee. Oh, more Coffee", {"more": ["oh", "Coffee"]}),
        ("more Coffee. No Coffee", {"avoid": ["Coffee"]}),
    ],
)  # fmt: skip
def test_messages_are_read(message: str, expected: dict) -> None:
    assert PARSER.parse(message, SHOWN) == Wishes(**expected)


@pytest.mark.parametrize("brand", ["St. Ives", "Michael J. Fox", "Crabtree & Evelyn, Ltd.", "Bath and Body", "L'Oreal"])
def test_names_with_marks_of_clauses_stay_whole(brand: str) -> None:
    rows = [{"item_id": "x", "title": "Soap", "brand": brand}, {"item_id": "y", "title": "Cream", "brand": "Ives"}]
    parser = RuleParser(Records(Catalogue.from_records(rows)))
    assert parser.parse(f"not {brand}") == Wishes(avoid=[brand])
    assert parser.parse(f"more {brand}, under 5") == Wishes(more=[brand], max_price=5.0)


def test_a_kind_that_nothing_shown_has_says_nothing() -> None:
    assert PARSER.parse("not this brand") == Wishes()


def test_an_ordinal_beyond_the_list_points_at_nothing() -> None:
    assert PARSER.parse("not the third", ["a1"]).drop_items == []


@settings(max_examples=80)
@given(st.text(max_size=300))
def test_any_message_can_be_read(message: str) -> None:
    Wishes.from_json(vars(PARSER.parse(message[:250], SHOWN)))


def test_later_wishes_win() -> None:
    first = Wishes(avoid=["Coffee"], max_price=20.0, disliked=["a1"], drop_items=["a1"])
    merged = first.merged(Wishes(require=["Coffee"], max_price=50.0, liked=["a1"]))
    assert merged.avoid == []
    assert merged.max_price == 50.0
    assert merged.disliked == []
    assert merged.drop_items == []
    assert Wishes(avoid=["Coffee"]).merged(Wishes(more=["coffee"])) == Wishes(more=["coffee"])
    assert Wishes(more=["Coffee"], require=["Coffee"]).merged(Wishes(avoid=["Coffee"])) == Wishes(avoid=["Coffee"])


def test_constraints_by_hand() -> None:
    def left(**changes: object) -> list[int]:
        return np.flatnonzero(allowed_items(Wishes(**changes), RECORDS)).tolist()  # type: ignore[arg-type]

    assert left(avoid=["northfell"]) == [1, 3, 4, 5, 6, 7]
    assert left(require=["Coffee"], max_price=20.0) == [4]
    assert left(max_price=20.0) == [2, 4]  # unknown prices do not pass
    assert left(min_year=1980, max_year=1989) == [1, 6]
    assert left(drop_items=["a1"], require=["Camping"]) == [1, 2]
    assert left() == list(range(8))


def test_the_vector_update_by_hand() -> None:
    # (1, 0) + 0.5 * (0, 1) - 0.25 * (1, 0) = (0.75, 0.5), length sqrt(0.8125)
    found = moved([1.0, 0.0], [[0.0, 1.0]], [[1.0, 0.0]], 0.5, 0.25)
    assert found.tolist() == pytest.approx([0.75 / 0.8125**0.5, 0.5 / 0.8125**0.5])
    assert moved([1.0, 0.0], [], []).tolist() == [1.0, 0.0]
    assert moved([1.0, 0.0], [], [[1.0, 0.0]], 1.0, 1.0).tolist() == [0.0, 0.0]


def test_feedback_changes_the_next_list() -> None:
    shop = shop_recommender()
    first = shop.respond(ConversationState(["a2"]), k=4)
    second = shop.respond(first.state, "not the first", 4)
    assert first.items[0].item_id not in [row.item_id for row in second.items]
    third = shop.respond(second.state, "only Coffee, under 20", 4)
    assert [row.item_id for row in third.items] == ["b2"]
    assert third.state.turns == ["not the first", "only Coffee, under 20"]
    assert first.state.turns == []  # states are values


def test_an_impossible_wish_says_what_was_given_up() -> None:
    shop = shop_recommender()
    reply = shop.respond(ConversationState(["a2"]), "only Guitar, under 1")
    assert reply.note == "the price"
    assert {row.item_id for row in reply.items} == {"c1", "c2"}
    assert [name for name, _ in relaxed(Wishes())] == ["the years", "the price", "what every item must have"]


def test_the_same_state_gives_the_same_list() -> None:
    shop = shop_recommender()
    state = shop.respond(ConversationState(["a2"], ["coffee"]), "more Bellmore").state
    again = ConversationState.loads(state.dumps())
    assert again == state
    assert shop.respond(again).items == shop.respond(state).items


@pytest.mark.parametrize(
    "text",
    [
        "[]", "no", '{"format": "x"}', '{"history": "a1"}', '{"wishes": {"avoid": [1]}}', '{"odd": 1}',
        '{"wishes": {"max_price": true}}', '{"wishes": {"max_price": 1e300}}', '{"wishes": [], "x": 0}',
        '{"turns": [7]}',
    ],
)  # fmt: skip
def test_forged_states_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"state|wishes|must be|holds"):
        ConversationState.loads(text)


def test_states_have_a_size() -> None:
    with pytest.raises(ValueError, match="at most"):
        ConversationState.from_json({"turns": ["x"] * 5000})
    with pytest.raises(ValueError, match="characters"):
        ConversationState.from_json({"turns": ["x" * 5000]})


def test_unknown_histories_and_sizes_are_named() -> None:
    with pytest.raises(DataError, match="nope"):
        shop_recommender().respond(ConversationState(["nope"]))
    with pytest.raises(ValueError, match="k must be"):
        shop_recommender().respond(ConversationState(["a1"]), k=0)


def test_a_language_models_reading_is_trusted_only_as_far_as_it_is_known() -> None:
    answer = '{"avoid": ["northfell", "Nobody"], "disliked": ["b1", "zzz"], "more": ["quiet"], "max_price": null}'
    found = ChatParser(Talker(answer), RECORDS).parse("hmm", SHOWN)
    assert found.avoid == ["Northfell"]
    assert found.drop_items == ["b1"]
    assert "quiet" in found.more


def test_the_rules_decide_when_the_language_model_fails() -> None:
    parser = ChatParser(Talker("sorry"), RECORDS)
    assert parser.parse("under 20", SHOWN).max_price == 20.0
    assert parser.failures == 1


def test_a_conversation_in_a_terminal() -> None:
    sink = io.StringIO()
    state = talk(
        shop_recommender(), ConversationState(["a2"]), io.StringIO("only Coffee\n\n/state\n/quit\nignored\n"), sink
    )
    assert state.turns == ["only Coffee"]
    assert state.dumps() in sink.getvalue()
    assert "1. " in sink.getvalue()


def test_titles_are_found_by_their_beginning_and_else_suggested() -> None:
    shop = shop_recommender()
    assert resolve(shop, "a2") == "a2"
    assert resolve(shop, "northfell camp") == "a3"
    with pytest.raises(ValueError, match="Bellmore Burr Grinder"):
        resolve(shop, "Belmore Bur Grinder")


def test_simulated_users_say_true_things_and_never_the_title() -> None:
    user = SimulatedUser(RECORDS, 4)
    said = [user.feedback([0, 1, 2]) for _ in range(4)]
    assert said[0] in ("more Rosterra", "more Coffee")
    assert all(text is None or "Frother" not in text for text in said)
    assert len({text for text in said if text}) == len([text for text in said if text])


def test_feedback_helps_simulated_users() -> None:
    shop = shop_recommender()
    targets = Targets(np.arange(4), [np.array([0])] * 4, np.array([4, 6, 7, 5]))
    found = simulate(shop, targets, turns=3, k=2)
    table = gain_table(found.ranks, 2)
    assert table["HR@2_turn3"] >= table["HR@2_turn0"]
    assert table["gain_turn3"] > 0
    assert all(len(said) <= 3 for said in found.messages)


def test_the_control_turns_pages_and_says_nothing() -> None:
    shop = shop_recommender()
    targets = Targets(np.arange(7), [np.array([0])] * 7, np.arange(1, 8))
    found = simulate(shop, targets, turns=3, k=2, mode="paging")
    first = [shop.retrieve([0], Wishes())[0].index(item) for item in range(1, 8)]
    assert (found.ranks >= 0).argmax(axis=1).tolist() == [place // 2 for place in first]
    assert found.messages == [[]] * 7
    assert not found.kinds
    talked = simulate(shop, targets, turns=3, k=2)
    assert sum(talked.kinds.values()) == sum(map(len, talked.messages))
    with pytest.raises(ValueError, match="pool of 80"):
        simulate(shop, targets, turns=3, k=20, mode="paging")
    with pytest.raises(ValueError, match="mode is 'x'"):
        simulate(shop, targets, mode="x")


def test_gains_by_hand() -> None:
    ranks = np.array([[-1, 3, 3], [0, 0, 0], [-1, -1, 12], [-1, -1, -1]])
    pages = np.array([[-1, -1, 3], [0, 0, 0], [-1, -1, -1], [-1, -1, -1]])
    table = gain_table(ranks, 10, pages)
    assert [table[f"new_hits@10_turn{t}"] for t in (1, 2)] == [1 / 3, 0.0]  # 3 users were open, then 2
    assert [table[f"gain_over_paging_turn{t}"] for t in (1, 2)] == [0.25, 0.0]
    assert [table[f"HR@10_turn{t}"] for t in range(3)] == [0.25, 0.5, 0.5]
    assert table["gain_turn2"] == 0.25
