"""The endpoint: a conversation without a server's memory, errors that say what is wrong, a page that trusts no text."""

from __future__ import annotations

from pathlib import Path

import pytest
from llmrec_shop import shop_recommender

from llmrec.generative.routes import create_router, register

fastapi = pytest.importorskip("fastapi")
testclient = pytest.importorskip("fastapi.testclient")


def client():
    app = fastapi.FastAPI()
    app.include_router(create_router(shop_recommender()))
    return testclient.TestClient(app)


def test_a_conversation_over_http() -> None:
    web = client()
    first = web.post("/v1/chat/recommendations", json={"history": ["a2"], "k": 3}).json()
    assert len(first["items"]) == 3
    assert set(first["items"][0]) == {"item_id", "title", "reason", "score"}
    body = {"state": first["state"], "message": "only Coffee, under 20"}
    assert [row["item_id"] for row in web.post("/v1/chat/recommendations", json=body).json()["items"]] == ["b2"]


@pytest.mark.parametrize(
    "body",
    [
        {"history": ["nope"]}, {"history": ["a1"], "k": 0}, {"history": ["a1"], "k": 51}, {"state": {"odd": 1}},
        {"history": ["a1"], "message": "x" * 3000}, {"history": "a1"},
    ],
)  # fmt: skip
def test_bad_requests_are_answered_with_422(body: dict) -> None:
    answer = client().post("/v1/chat/recommendations", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_the_gateways_door_adds_the_routes_only_where_a_model_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Gateway:
        app = fastapi.FastAPI()

    monkeypatch.delenv("LLMREC_MODEL", raising=False)
    register(Gateway())
    assert not [route for route in Gateway.app.routes if "recommendations" in getattr(route, "path", "")]
    monkeypatch.setenv("LLMREC_MODEL", str(tmp_path))
    with pytest.raises(ValueError, match=r"llmrec\.json"):
        register(Gateway())


def test_the_page_writes_texts_and_never_markup() -> None:
    page = client().get("/playground/chat").text
    assert "textContent" in page
    assert "innerHTML" not in page
