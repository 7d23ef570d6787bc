"""POST /v1/recommendations: lists, refusals, filters, variety, audits, streams."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from serving_toys import broken

from genrec.serving.door import Question

pytestmark = pytest.mark.serve
PATH = "/v1/recommendations"


def ask(client: Any, **body: Any) -> Any:
    return client.post(PATH, json={"history": ["i1"], **body})


def code_of(answer: Any) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    assert error["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, error["code"], error["param"]


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def test_a_direct_answer_names_items_scores_and_the_model(client):
    answer = ask(client, k=2).json()
    assert [item["id"] for item in answer["items"]] == ["i0", "i1"]
    first = {"id": "i0", "title": "Polish number 0", "sid": "<a_0><b_0>", "score": 0.0, "reason": "", "source": "beam"}
    assert answer["items"][0] == {**first, "votes": 0}
    assert (answer["mode"], answer["chain"], answer["model"]) == ("direct", None, {"model": "toy", "index_hash": "abc"})
    assert set(answer["timing"]) == {"beam_ms", "total_ms"}


def test_a_history_may_hold_ids_titles_and_parts_of_titles(client, engine):
    ask(client, history=["i3", "POLISH number 4", "number 27"])
    assert engine.questions[-1].history == (3, 4, 27)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"history": []}, (422, "empty_history", "history")),
        ({"history": ["i1"] * 201}, (422, "history_too_long", "history")),
        ({"history": ["i1", "nothing like it"]}, (422, "unknown_item", "history.1")),
        ({"history": ["same name"]}, (422, "ambiguous_item", "history.0")),
        ({"history": [999]}, (422, "unknown_item", "history.0")),
        ({"k": 0}, (422, "bad_k", "k")),
        ({"k": 31}, (422, "bad_k", "k")),
        ({"k": "many"}, (422, "invalid_int_parsing", "k")),
        ({"mode": "psychic"}, (422, "unknown_mode", "mode")),
        ({"scenario": "moon"}, (422, "unknown_scenario", "scenario")),
        ({"mode": "direct", "scenario": "home_feed"}, (422, "mode_and_scenario", "mode")),
        ({"diversity": 1.5}, (422, "invalid_less_than_equal", "diversity")),
        ({"num_samples": 17}, (422, "over_limit", "num_samples")),
        ({"filters": {"categories": ["Cars"]}}, (422, "nothing_left", "filters")),
        ({"filters": {"exclude": ["i1", "i99"]}}, (422, "unknown_item", "filters.exclude.1")),
        ({"surprise": 1}, (422, "invalid_extra_forbidden", "surprise")),
    ],
)
def test_a_bad_request_is_refused_with_its_reason(client, body, expected):
    assert code_of(ask(client, **body)) == expected


def test_an_ambiguous_title_comes_with_candidates(client):
    details = ask(client, history=["same name"]).json()["error"]["details"]
    assert details == {
        "found": 2,
        "candidates": [{"id": "i28", "title": "Same name"}, {"id": "i29", "title": "Same name"}],
    }


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 20_000, b'{"history": NaN}',
                                     b'{"history": ["\\ud800"]}', b'{"\\ud800": 1, "history": ["i1"]}'])  # fmt: skip
def test_a_body_that_is_no_request_is_refused(client, content):
    answer = client.post(PATH, content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text


def test_a_body_over_the_limit_is_refused_whether_or_not_it_says_its_length(client):
    long = json.dumps({"history": ["x" * 70_000]})
    assert code_of(client.post(PATH, content=long)) == (413, "body_too_large", None)
    parts = (long[start : start + 1000].encode() for start in range(0, len(long), 1000))
    assert code_of(client.post(PATH, content=parts)) == (413, "body_too_large", None)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"categories": ["Nails"]}, [0, 2, 4, 6]),
        ({"brands": ["Other"], "categories": ["Hair"]}, [11, 13, 15, 17]),
        ({"max_price": 5}, [0, 3, 6, 9]),
        ({"min_price": 5, "in_stock": True}, [1, 2, 4, 7]),
        ({"in_stock": False}, [5]),
        ({"exclude_history": True, "exclude": ["i0"]}, [2, 3, 4, 5]),
    ],
)
def test_filters_are_masks_over_the_catalogue(client, filters, expected):
    answer = ask(client, k=len(expected), filters=filters).json()
    assert [item["id"] for item in answer["items"]] == [f"i{i}" for i in expected]


def test_k_may_not_exceed_what_filters_and_exclusions_leave(client):
    answer = ask(client, k=2, filters={"in_stock": False})
    assert (*code_of(answer), answer.json()["error"]["details"]) == (422, "bad_k", "k", {"limit": 1})


def test_the_same_filter_is_computed_once(client, engine):
    for _ in range(2):
        ask(client, k=1, filters={"categories": ["Nails"]})
    first, second = engine.questions[-2:]
    assert first.within is second.within
    assert first.within_key == second.within_key != ""


def test_diversity_asks_for_a_pool_and_lists_unlike_items_first(client, engine):
    answer = ask(client, k=3, diversity=0.9).json()
    assert engine.questions[-1].k == 12
    tens = [int(item["id"][1:]) // 10 for item in answer["items"]]
    assert tens[:2] == [0, 1], "the pool holds items of two groups, so the second pick leaves the first one's"


def test_a_scenario_decides_mode_and_audit(client):
    answer = ask(client, k=1, scenario="complaint").json()
    assert (answer["mode"], answer["audited"], answer["chain"]["text"]) == ("reasoning", True, "likes red polish")


def test_an_audit_is_found_by_request_id_and_says_how_to_repeat_the_request(client, engine):
    answer = ask(client, k=2, mode="mixed", m=1, seed=5, audit=True, filters={"exclude": ["i0"]})
    record = client.get(f"/v1/audits/{answer.headers['x-request-id']}").json()
    assert record["items"] == answer.json()["items"]
    assert record["history"] == [{"id": "i1", "title": "Polish number 1"}]
    assert record["chains"] == [{"text": "likes red polish"}]
    settings = {"k": 2, "m": 1, "num_samples": 1, "seed": 5, "diversity": 0.0, "filters": "", "exclude": ["i0"]}
    assert (record["settings"], record["model"]["index_hash"]) == (settings, "abc")
    assert engine.questions[-1].alone, "a request that must be repeatable shares no batch"


def test_what_was_not_audited_is_not_kept(client):
    answer = ask(client, k=1)
    assert code_of(client.get(f"/v1/audits/{answer.json()['id']}")) == (404, "no_audit", "request_id")


def test_without_retention_audits_are_refused(make):
    with TestClient(make(audit_retention_seconds=0)) as client:
        assert code_of(ask(client, k=1, audit=True)) == (422, "audit_disabled", "audit")


def test_an_arm_named_like_a_mode_sets_the_mode_of_its_users(make, engine):
    with TestClient(make(arms={"reasoning": 1.0})) as client:
        assert ask(client, k=1, user_id="u").json()["mode"] == "reasoning"
        assert ask(client, k=1, user_id="u", mode="direct").json()["mode"] == "direct"
        assert ask(client, k=1).json()["mode"] == "direct"


def test_a_stream_tells_the_chain_and_then_the_same_answer(client):
    told = events(ask(client, k=2, mode="reasoning", stream=True).text)
    assert [name for name, _ in told] == ["started", "chain", "chain", "chain", "answer"]
    assert "".join(data["text"] for name, data in told if name == "chain") == "likes red polish"
    whole = ask(client, k=2, mode="reasoning").json()
    assert told[-1][1]["items"] == whole["items"]
    assert told[0][1]["id"] == told[-1][1]["id"]


def test_a_failing_model_server_gives_503_and_the_next_answer_is_fine(client, engine):
    engine.error = broken()
    answer = ask(client, k=1)
    assert (code_of(answer), answer.headers["retry-after"]) == ((503, "upstream_unavailable", None), "1")
    assert events(ask(client, k=1, stream=True).text)[-1][1]["error"]["code"] == "upstream_unavailable"
    engine.error = None
    assert ask(client, k=1).status_code == 200


def test_an_answer_that_takes_too_long_is_given_up(make, engine):
    engine.delay = 5
    with TestClient(make(request_seconds=0.05)) as client:
        assert code_of(ask(client, k=1)) == (503, "deadline", None)
    assert engine.cancelled == 1


def test_an_accident_says_nothing_about_the_inside(make, engine, caplog):
    engine.error = RuntimeError("secret path /home/x")
    with TestClient(make(), raise_server_exceptions=False) as client:
        answer = ask(client, k=1)
        assert code_of(answer) == (500, "internal", None)
        assert "secret" not in answer.text
        assert "secret" not in ask(client, k=1, stream=True).text
    assert "secret path" in caplog.text


def test_histories_reach_the_log_only_when_asked(make, caplog):
    caplog.set_level("INFO")
    for log_text in (False, True):
        with TestClient(make(log_text=log_text)) as client:
            caplog.clear()
            ask(client, k=1, history=["Polish number 7"])
            assert ("Polish number 7" in caplog.text) == log_text


def test_a_question_is_hashable_by_what_decides_the_answer():
    assert Question((1,), "direct") == Question((1,), "direct")
