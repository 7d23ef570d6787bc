"""Feedback and audits: durable, deduplicated, private, limited in time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from fastapi.testclient import TestClient

from genrec.data.files import read_jsonl
from genrec.serving.audit import AuditStore
from genrec.serving.config import ServingConfig
from genrec.serving.feedback import FeedbackLog, arm_of, user_hash

pytestmark = pytest.mark.serve
CLICK = {"request_id": "req-1", "user_id": "anna", "item_id": "i1", "action": "click"}
WRITER = """
import asyncio, sys
from pathlib import Path
from genrec.serving.feedback import FeedbackLog
async def main():
    log = FeedbackLog(Path(sys.argv[1]))
    log.start()
    async def one(n):
        key, _ = await log.append({"key": str(n), "arm": "a", "action": "click"})
        print(key, flush=True)
    for start in range(0, 1_000_000, 8):
        await asyncio.gather(*(one(start + i) for i in range(8)))
asyncio.run(main())
"""


def test_arms_are_stable_and_follow_their_weights():
    arms = {"a": 0.25, "b": 0.75, "never": 0.0}
    drawn = [arm_of(f"user {i}", arms, "s") for i in range(4000)]
    assert drawn == [arm_of(f"user {i}", arms, "s") for i in range(4000)]
    counts = Counter(drawn)
    assert counts["never"] == 0
    assert counts["a"] == pytest.approx(1000, abs=4 * (4000 * 0.25 * 0.75) ** 0.5)
    assert drawn != [arm_of(f"user {i}", arms, "another experiment") for i in range(4000)]


def test_feedback_is_on_disk_when_it_is_acknowledged_and_holds_no_user_id(client):
    answer = client.post("/v1/feedback", json={**CLICK, "key": "k1", "position": 2})
    assert (answer.status_code, answer.json()) == (201, {"key": "k1", "arm": "all", "duplicate": False})
    (record,) = read_jsonl(client.app.state.gateway.feedback.path)
    assert record.pop("at").endswith("+00:00")
    stored = {"key": "k1", "request_id": "req-1", "item_id": "i1", "action": "click", "position": 2, "arm": "all"}
    assert record == {**stored, "user": user_hash("anna", "genrec")}
    assert "anna" not in client.app.state.gateway.feedback.path.read_text()


def test_the_same_key_is_stored_once_even_after_a_restart(make):
    for duplicate in (False, True):
        with TestClient(make()) as client:
            answer = client.post("/v1/feedback", json={**CLICK, "key": "k1"}).json()
            assert answer["duplicate"] is duplicate
            assert len(read_jsonl(client.app.state.gateway.feedback.path)) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [({"item_id": "nope"}, "unknown_item"), ({"item_id": None}, "item_needed"),
     ({"action": "buy!"}, "invalid_literal_error"),
     ({"user_id": ""}, "invalid_string_too_short"), ({"position": 0}, "invalid_greater_than_equal")],
)  # fmt: skip
def test_bad_feedback_is_refused_with_its_reason(client, change, code):
    answer = client.post("/v1/feedback", json={**CLICK, **change})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


def test_views_are_noted_and_the_click_rate_per_arm_survives_a_restart(make):
    with TestClient(make()) as client:
        for _ in range(2):
            assert (
                client.post("/v1/recommendations", json={"history": ["i1"], "k": 1, "user_id": "anna"}).status_code
                == 200
            )
        client.post("/v1/feedback", json=CLICK)
    with TestClient(make()) as client:
        assert 'genrec_click_rate{arm="all"} 0.5' in client.get("/metrics").text


def test_a_torn_last_line_is_cut_off_and_the_log_goes_on(tmp_path):
    path = tmp_path / "feedback.jsonl"
    path.write_text('{"key": "a", "arm": "x", "action": "view"}\n{"key": "b", "ar')
    log = FeedbackLog(path)
    log.start()
    assert asyncio.run(log.append({"key": "b", "arm": "x", "action": "click"})) == ("b", False)
    log.close()
    assert [record["key"] for record in read_jsonl(path)] == ["a", "b"]
    assert FeedbackLog(path).rates() == {"x": (1, 1)}


def test_a_kill_loses_no_acknowledged_record(tmp_path):
    path = tmp_path / "feedback.jsonl"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    told = [writer.stdout.readline().strip() for _ in range(40)]
    os.kill(writer.pid, signal.SIGKILL)
    told += writer.stdout.read().split("\n")[:-1]
    writer.wait()
    FeedbackLog(path).close()
    kept = [record["key"] for record in read_jsonl(path)]
    assert set(filter(None, told)) <= set(kept)
    assert len(kept) == len(set(kept))


def test_audits_are_found_until_their_time_is_over(tmp_path):
    now = [1000.0]
    store = AuditStore(tmp_path / "audit.sqlite", 100, lambda: now[0])
    store.keep("r1", {"items": [1]})
    now[0] = 1099.0
    store.keep("r2", {"items": [2]})
    assert store.find("r1") == {"items": [1]}
    now[0] = 1101.0
    assert store.find("r1") is None
    assert store.find("r2") == {"items": [2]}
    now[0] = 1190.0
    store.keep("r3", {})
    assert store.count() == 2, "what is too old is deleted, not only hidden"
    store.close()
    assert AuditStore(tmp_path / "audit.sqlite", 1000, lambda: now[0]).find("r2") == {"items": [2]}


def test_items_are_found_by_words_and_by_id(client):
    found = client.get("/v1/items", params={"query": "NUMBER 2", "limit": 2}).json()
    assert ([item["id"] for item in found["items"]], found["total"]) == (["i2", "i12"], 10)
    item = client.get("/v1/items/i3").json()
    assert (item["title"], item["attributes"]) == ("Polish number 3", {"brand": ["OPI"], "categories": ["Hair"]})
    assert client.get("/v1/items/nope").json()["error"]["code"] == "unknown_item"
    assert client.get("/v1/items", params={"limit": 0}).status_code == 422
    assert client.get("/v1/items", params={"offset": 28}).json()["total"] == 30


def test_metrics_tell_requests_lanes_and_answers(client):
    client.post("/v1/recommendations", json={"history": ["i1"], "k": 1})
    text = client.get("/metrics").text
    assert 'genrec_requests_total{route="/v1/recommendations",status="200"} 1.0' in text
    assert 'genrec_answer_seconds_count{mode="direct"} 1.0' in text
    assert f'genrec_lane_slots{{lane="direct"}} {float(ServingConfig().direct_slots)}' in text


def test_ready_follows_the_engine_and_settings_tell_the_limits(client, engine):
    assert client.get("/ready").json() == {
        "ready": True,
        "parts": {"direct": True, "reasoning": True, "draining": False},
    }
    engine.up = False
    assert client.get("/ready").status_code == 503
    facts: dict[str, Any] = client.get("/v1/settings").json()
    assert (facts["modes"], facts["num_items"], facts["limits"]["max_k"]) == (["direct", "reasoning", "mixed"], 30, 30)
    assert facts["scenarios"]["complaint"] == {"mode": "reasoning", "audited": True, "need": "a record"}


def test_a_system_adds_its_own_routes_through_a_door(make):
    def door(gateway: Any) -> None:
        gateway.app.add_api_route("/v1/own", lambda: {"items": len(gateway.items)}, methods=["GET"])

    with TestClient(make(doors=[door])) as client:
        assert client.get("/v1/own").json() == {"items": 30}


def test_records_are_json_lines_that_any_tool_reads(client):
    client.post("/v1/feedback", json=CLICK)
    lines = client.app.state.gateway.feedback.path.read_text().splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["click"]


def test_a_full_disk_is_no_acknowledgement_and_the_record_may_be_sent_again(tmp_path, monkeypatch):
    log = FeedbackLog(tmp_path / "feedback.jsonl")
    log.start()
    record = {"key": "k", "arm": "a", "action": "click"}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            asyncio.run(log.append(record))
    assert read_jsonl(log.path) == []
    assert asyncio.run(log.append(record)) == ("k", False)
    log.close()
    assert [kept["key"] for kept in read_jsonl(log.path)] == ["k"]
