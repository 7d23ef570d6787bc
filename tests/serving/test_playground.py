"""The playground in a real browser: keyboard, phone width, both modes, feedback, hostile titles."""

from __future__ import annotations

import pytest
from browsing import SHOTS, needs_browser, open_page
from fastapi.testclient import TestClient
from serving_toys import listening

from genrec.data.catalogue import Catalogue
from genrec.data.files import read_jsonl

pytestmark = [pytest.mark.serve, pytest.mark.timeout(300)]


def test_the_pages_load_nothing_from_elsewhere_and_allow_only_their_own_script(client):
    for path in ("/", "/docs"):
        page = client.get(path)
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'sha256-" in policy
        assert "unsafe" not in policy
        for outside in ("http://", "https://", "//cdn", "@import", "innerHTML", " onclick="):
            assert outside not in page.text, outside


def test_the_pages_need_no_key(make):
    with TestClient(make(api_keys=("k" * 20,))) as client:
        assert client.get("/").status_code == 200


@needs_browser
def test_a_history_is_built_by_keyboard_both_modes_answer_and_feedback_is_stored(browser, make, engine):
    app = make()
    with listening(app) as url:
        page, wrong = open_page(browser, url, 1100, 900)
        page.focus("#query")
        assert not page.is_visible("#key"), "nobody asked for a key"
        page.keyboard.type("number 7")
        page.wait_for_selector("#found li[aria-selected=true]")
        page.keyboard.press("Enter")
        page.keyboard.type("number 1")
        page.wait_for_selector("#found-1")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        assert page.locator("#history span").all_inner_texts()[0] == "Polish number 7"
        page.locator("#go").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("section[data-mode=reasoning] .items > li")
        page.wait_for_selector("section[data-mode=direct] .items > li")
        assert page.locator("section[data-mode=reasoning] .chain").inner_text() == "likes red polish"
        assert page.locator("section[data-mode=direct] .items > li").count() == 5
        assert page.locator("section[data-mode=reasoning] .score").first.inner_text() == "0.00"
        page.get_by_role("button", name="Good: Polish number 0").first.click()
        page.wait_for_selector("text=Thank you, stored.")
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SHOTS / "playground-wide.png", full_page=True)
        page.close()
    assert wrong == []
    assert {q.mode for q in engine.questions} == {"direct", "reasoning"}
    stored = [r for r in read_jsonl(app.state.gateway.feedback.path) if r["action"] == "like"]
    assert [(record["item_id"], record["position"]) for record in stored] == [("i0", 1)]


@needs_browser
def test_at_phone_width_nothing_overflows_and_the_chain_streams_in(browser, make, engine):
    engine.delay = 4.0
    with listening(make()) as url:
        page, wrong = open_page(browser, url, 360, 740)
        page.fill("#query", "number 12")
        page.wait_for_selector("#found li")
        page.locator("#found li").first.click()
        page.click("#go")
        page.wait_for_selector("section[data-mode=reasoning] .chain:has-text('likes')")
        assert page.locator("section[data-mode=reasoning] .items > li").count() == 0, "the chain comes before the list"
        page.wait_for_selector("section[data-mode=reasoning] .items > li")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SHOTS / "playground-phone.png", full_page=True)
        page.close()
    assert wrong == []


@needs_browser
def test_hostile_titles_and_chains_stay_text(browser, make, engine):
    title = "<img src=x onerror=\"document.title='owned'\"> & <b>bold</b>"
    records = [{"item_id": f"i{i}", "title": title if i == 0 else f"Polish {i}"} for i in range(30)]
    engine.catalogue = Catalogue.from_records(records)
    with listening(make()) as url:
        page, wrong = open_page(browser, url, 900, 700)
        page.fill("#query", "polish 3")
        page.wait_for_selector("#found li")
        page.locator("#found li").first.click()
        page.click("#go")
        page.wait_for_selector("section[data-mode=direct] .items > li")
        assert page.locator("section[data-mode=direct] .items p").first.inner_text() == engine.catalogue.titles[0]
        assert page.title() == "gream playground"
        assert page.locator(".items img, .items b").count() == 0
        page.close()
    assert wrong == []


@needs_browser
def test_the_api_page_lists_every_route(browser, make):
    with listening(make()) as url:
        page = browser.new_page(viewport={"width": 800, "height": 900})
        page.goto(f"{url}/docs")
        page.wait_for_selector("details")
        assert "POST /v1/recommendations" in page.locator("summary").all_inner_texts()[0]
        page.locator("summary").first.click()
        SHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SHOTS / "api.png")
        page.close()
