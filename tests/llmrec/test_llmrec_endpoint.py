"""The endpoint on the real gateway: a conversation without a server's memory, errors that say what is wrong, a page."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
from llmrec_shop import shop_recommender

pytest.importorskip("fastapi")

from browsing import needs_browser, open_page
from fastapi.testclient import TestClient
from serving_toys import ToyEngine, listening

from genrec.serving.config import ServingConfig
from genrec.serving.gateway import Gateway, create_app
from llmrec.generative.routes import CHAT_SLOTS, add_chat, register

PATH, KEY = "/v1/chat/recommendations", "k" * 20


@pytest.fixture
def client(tmp_path: Path) -> Callable[..., TestClient]:
    def build(**settings: Any) -> TestClient:
        doors = [lambda gateway: add_chat(gateway, shop_recommender())]
        return TestClient(create_app(ToyEngine(), ServingConfig(state_dir=tmp_path, **settings), doors=doors))

    return build


def test_a_conversation_over_http(client) -> None:
    web = client()
    first = web.post(PATH, json={"history": ["a2"], "k": 3}).json()
    assert len(first["items"]) == 3
    assert set(first["items"][0]) == {"item_id", "title", "reason", "score"}
    body = {"state": first["state"], "message": "only Coffee, under 20"}
    assert [row["item_id"] for row in web.post(PATH, json=body).json()["items"]] == ["b2"]


@pytest.mark.parametrize(
    "body",
    [
        {"history": ["nope"]}, {"history": ["a1"], "k": 0}, {"history": ["a1"], "k": 51}, {"state": {"odd": 1}},
        {"history": ["a1"], "message": "x" * 1001}, {"history": "a1"},
    ],
)  # fmt: skip
def test_bad_requests_are_answered_with_422_in_the_gateways_shape(client, body: dict) -> None:
    answer = client().post(PATH, json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"]


def test_the_page_needs_no_key_and_the_conversation_does(client) -> None:
    web = client(api_keys=(KEY,))
    assert web.get("/playground/chat").status_code == 200
    assert web.post(PATH, json={"history": ["a2"]}).status_code == 401
    assert web.post(PATH, json={"history": ["a2"]}, headers={"X-API-Key": KEY}).status_code == 200


def test_the_page_writes_texts_and_never_markup_under_the_content_policy(client) -> None:
    web = client()
    page = web.get("/playground/chat")
    assert "script-src 'sha256-" in page.headers["content-security-policy"]
    assert "textContent" in page.text
    for wrong in ("innerHTML", "http://", "https://", " onclick="):
        assert wrong not in page.text
    assert web.get("/v1/settings").json()["pages"] == {"/playground/chat": "Conversation"}
    assert "/playground/chat" not in web.get("/openapi.json").json()["paths"]


def test_turns_beyond_the_slots_are_told_when_to_come_back(client) -> None:
    web = client()
    lane = web.app.state.gateway.lanes["chat"]
    lane.taken = CHAT_SLOTS
    refused = web.post(PATH, json={"history": ["a2"]})
    assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
    assert 'genrec_lane_taken{lane="chat"} 8.0' in web.get("/metrics").text


def test_the_door_adds_the_routes_only_where_a_model_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert register in [point.load() for point in entry_points(group="genrec.serving")]
    gateway = Gateway(ToyEngine(), ServingConfig(state_dir=tmp_path))
    monkeypatch.delenv("LLMREC_MODEL", raising=False)
    register(gateway)
    assert not gateway.pages
    monkeypatch.setenv("LLMREC_MODEL", str(tmp_path))
    with pytest.raises(ValueError, match=r"llmrec\.json"):
        register(gateway)


@pytest.mark.serve
@pytest.mark.timeout(300)
@needs_browser
def test_the_playground_links_the_page_and_a_browser_talks_there_behind_a_key(browser, client) -> None:
    with listening(client().app) as url:
        page, wrong = open_page(browser, url, 900, 700, ready="#pages a")
        page.click("#pages a")
        page.fill("#history", "a2")
        page.click("#start")
        page.wait_for_selector(".item")
        page.fill("#message", "only Coffee, under 20")
        page.click("#send")
        page.wait_for_selector(".item:has-text('Rosterra Milk Frother')")
        page.fill("#history", "nope")
        page.click("#start")
        page.wait_for_selector(".error:has-text('nope')")
    assert [text for text in wrong if "422" not in text] == []
    with listening(client(api_keys=(KEY,)).app) as url:
        page, _ = open_page(browser, f"{url}/playground/chat", 360, 700, ready="#start")
        assert not page.is_visible("#key"), "nobody asked for a key"
        page.fill("#history", "a2")
        page.click("#start")
        page.wait_for_selector("#key")
        page.fill("#key", KEY)
        page.click("#start")
        page.wait_for_selector(".item")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.close()
