"""A recommender with an engine behind it answers as it does with `generate`; journals survive kills and compare."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genrec.data.split import Targets
from gream.evaluate.modes.asking import ask_recommender
from gream.evaluate.modes.journal import read_journal, run_journal
from gream.evaluate.modes.shards import merged, share_of, share_path
from gream.evaluate.modes.summary import summarise
from gream.evaluate.modes.versus import as_table, versus
from gream.recommend import SamplingConfig
from gream.recommend.engine_runner import with_engine

sys.path.insert(0, str(Path(__file__).parents[1] / "decoding"))

from engine_toys import PlainEngine

GREEDY = SamplingConfig(0.0, 1.0, 20, 0)
HISTORIES = [[1, 2], [3], [4, 5, 6], [7]]


@pytest.fixture(scope="module")
def engine(toy: Any) -> PlainEngine:
    return PlainEngine(toy.runner.model, toy.runner.constraint)


@pytest.mark.parametrize("beams", ["own", "engine"])
def test_beams_of_either_kind_rank_alike(toy, engine, beams):
    items, scores = toy.rank_direct(HISTORIES, 5, 12, exclude_history=True)
    found, values = with_engine(toy, engine, beams).rank_direct(HISTORIES, 5, 12, exclude_history=True)
    assert found.tolist() == items.tolist()
    np.testing.assert_allclose(values, scores, atol=1e-4)


@pytest.mark.parametrize("close", [True, False])
def test_greedy_chains_and_their_answers_are_the_same(toy, engine, close):
    ours = toy.sample_chains(HISTORIES, 1, GREEDY, close=close)
    theirs = with_engine(toy, engine).sample_chains(HISTORIES, 1, GREEDY, close=close)
    for (a,), (b,) in zip(ours, theirs, strict=True):
        assert (b.text, b.item, b.num_tokens, b.format_ok) == (a.text, a.item, a.num_tokens, a.format_ok)
        assert b.log_prob == pytest.approx(a.log_prob, abs=1e-3)
    assert all(b.item is not None for (b,) in theirs) or not close


def test_what_an_engine_cannot_do_is_refused(toy, engine):
    through = with_engine(toy, engine)
    with pytest.raises(ValueError, match="constrained answers only"):
        through.sample_chains(HISTORIES, 1, GREEDY, constrained=False)
    with pytest.raises(ValueError, match="beams='both'"):
        with_engine(toy, engine, "both")  # type: ignore[arg-type]


@pytest.fixture
def targets() -> Targets:
    histories = [np.array(history) for history in HISTORIES]
    return Targets(np.arange(4), histories, np.array([3, 4, 7, 8]))


@pytest.mark.parametrize(("mode", "lists", "chains"), [("direct", 6, 0), ("reasoning", 0, 3), ("mixed", 6, 3)])
def test_a_journal_holds_every_user_once_and_its_summary_all_figures(toy, targets, tmp_path, mode, lists, chains):
    ask = ask_recommender(toy, mode, 6, 3, SamplingConfig(0.7, 0.9, 20), 12)
    records = run_journal(tmp_path / "j.jsonl", {"mode": mode}, targets, ask, 3, progress=False)
    assert [record["user"] for record in records] == [0, 1, 2, 3]
    assert {(len(r["items"]), len(r["answers"])) for r in records} == {(lists, chains)}
    figures = summarise(records, 12, [2, 1, 3, 1], np.ones(12), price_per_hour=3.6)
    assert figures["n_users"] == 4
    assert figures["latency_p50_ms"] <= figures["latency_p99_ms"]
    assert figures["cost_per_1000_users"] == pytest.approx(figures["seconds_per_1000_users"] / 1000)
    assert ("Recall@10_tail_users" in figures, "Pass@1_tail_items" in figures) == (lists > 0, chains > 0)
    assert (figures.get("invalid", 0), figures.get("duplicates", 0)) == (0, 0)


def test_a_killed_evaluation_goes_on_where_it_was(toy, targets, tmp_path):
    path = tmp_path / "j.jsonl"
    ask = ask_recommender(toy, "direct", 4, 1, GREEDY, 12)
    whole = run_journal(path, {"seed": 0}, targets, ask, 2, progress=False)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:3]) + "\n" + lines[3][:10])
    asked: list[int] = []

    def watch(histories: Any, chunk: int) -> Any:
        asked.append(chunk)
        return ask(histories, chunk)

    again = run_journal(path, {"seed": 0}, targets, watch, 2, progress=False)
    assert asked == [2]
    assert [r["items"] for r in again] == [r["items"] for r in whole]
    assert len(read_journal(path)[1]) == 4
    with pytest.raises(ValueError, match="other settings \\(seed\\)"):
        run_journal(path, {"seed": 1}, targets, ask, 2, progress=False)


def test_shares_of_several_processes_become_one_journal_in_order(toy, targets, tmp_path):
    journal, ask = tmp_path / "j.jsonl", ask_recommender(toy, "direct", 4, 1, GREEDY, 12)
    whole = run_journal(tmp_path / "alone.jsonl", {"seed": 0}, targets, ask, 2, progress=False)
    for rank in (2, 0, 1):
        if rank == 1:
            with pytest.raises(ValueError, match=r"not all shares of 'j\.jsonl'"):
                merged(journal, {"seed": 0}, targets, 3, alive=lambda: False)
        share = share_of(targets, rank, 3)
        run_journal(share_path(journal, rank, 3), {"seed": 0}, share, ask, 2, progress=False)
    records = merged(journal, {"seed": 0}, targets, 3)
    assert [(r["user"], r["target"], r["items"]) for r in records] == [
        (r["user"], r["target"], r["items"]) for r in whole
    ]
    assert read_journal(journal) == ({"seed": 0}, records)
    assert list(tmp_path.glob("j.*-of-*")) == []


def test_two_journals_are_compared_over_the_users_they_share():
    hit, miss = {"items": [1, 2], "answers": []}, {"items": [3, 4], "answers": []}
    a = [{"user": u, "target": 1, **(hit if u % 2 else miss)} for u in range(100)]
    b = [{"user": u, "target": 1, **(hit if u % 10 == 1 else miss)} for u in range(50, 150)]
    recall, _ = versus(a, b)
    assert (recall["figure"], recall["a"], recall["b"], recall["n_users"]) == ("Recall@10", 0.5, 0.1, 50)
    assert recall["difference"] == pytest.approx(0.4)
    assert recall["low"] > 0.2
    assert "| Recall@10 | 0.5000 | 0.1000 | +0.4000 |" in as_table([recall])
    with pytest.raises(ValueError, match="share no user"):
        versus(a, [{**b[0], "user": 999}])
    with pytest.raises(ValueError, match="other targets"):
        versus(a, [{**a[0], "target": 2}])


def test_a_gateway_is_asked_like_a_recommender(toy, targets, tmp_path):
    httpx = pytest.importorskip("httpx")
    from gream.evaluate.modes import asking

    seen: list[Any] = []

    def handle(request: Any) -> Any:
        seen.append(json.loads(request.content))
        if len(seen) == 1:
            return httpx.Response(429, headers={"Retry-After": "0"})
        ids = [toy.catalogue.item_ids[i] for i in (3, 4)]
        return httpx.Response(200, json={"items": [{"id": i} for i in ids], "tokens": 5})

    original = httpx.Client
    try:
        httpx.Client = lambda **named: original(transport=httpx.MockTransport(handle), base_url=named["base_url"])
        ask = asking.ask_server("http://x", toy.catalogue, "direct", 2, 1, workers=1)
        replies = ask(targets.histories, 0)
    finally:
        httpx.Client = original
    assert [(reply.items, reply.tokens) for reply in replies] == [([3, 4], 5)] * 4
    assert len(seen) == 5
    assert seen[0] == {"history": ["f1", "f2"], "mode": "direct", "k": 2, "num_samples": 1, "audit": False}


def test_pass_at_k_is_read_from_the_audits_of_a_gateway(toy, toy_folder, targets, tmp_path, monkeypatch):
    testclient = pytest.importorskip("fastapi.testclient")
    import httpx

    from gream.cli import build_parser
    from gream.evaluate.modes import asking
    from gream.serving.command import build, config_of

    arguments = ["--state-dir", str(tmp_path), "--num-beams", "12", "--max-new-tokens", "24", "--device", "cpu"]
    given = build_parser().parse_args(["serve", "--model", str(toy_folder), *arguments])
    with testclient.TestClient(build(given, config_of(given))) as client:
        monkeypatch.setattr(httpx, "Client", lambda **named: client)
        ask = asking.ask_server("http://x", toy.catalogue, "reasoning", 4, 3, workers=1)
        records = run_journal(tmp_path / "j.jsonl", {}, targets, ask, 2, progress=False)
    figures = summarise(records, 12, [2, 1, 3, 1], np.ones(12))
    assert {(len(r["items"]), len(r["answers"]), len(r["log_probs"])) for r in records} == {(4, 3, 3)}
    assert all(answer in range(12) for record in records for answer in record["answers"])
    assert (figures["n_samples"], figures["unanswered"]) == (3, 0)
    assert {"Recall@1", "format_rate", "latency_p95_ms"} <= set(figures)
    assert any(name.startswith("Pass@1") for name in figures)
