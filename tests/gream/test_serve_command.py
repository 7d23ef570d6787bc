"""`gream serve`: the command line, and a real checkpoint behind the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient

from gream.cli import build_parser, main
from gream.serving.command import _servers, build, config_of

pytestmark = pytest.mark.serve


def options(*arguments: str) -> Any:
    return build_parser().parse_args(["serve", "--model", "m", *arguments])


def test_help_shows_how_to_serve_and_what_to_ask(capsys):
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    out = capsys.readouterr().out
    assert "gream serve --model runs/tiny_ml100k/srpo --engine vllm" in out
    assert "/v1/recommendations" in out


def test_the_command_line_sets_limits_arms_and_keys(tmp_path, monkeypatch):
    keys = tmp_path / "keys"
    keys.write_text("a" * 20 + "\n\n" + "b" * 20 + "\n")
    config = config_of(
        options("--arm", "direct=0.9", "--arm", "reasoning=0.1", "--api-key-file", str(keys), "--audit-days", "2")
    )
    assert config.arms == {"direct": 0.9, "reasoning": 0.1}
    assert config.api_keys == ("a" * 20, "b" * 20)
    assert (config.host, config.audit_retention_seconds) == ("127.0.0.1", 172_800)
    monkeypatch.setenv("GREAM_API_KEYS", "c" * 20)
    assert config_of(options()).api_keys == ("c" * 20,)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--arm", "a=much"], "--arm takes NAME=WEIGHT"), (["--api-key-file", "nowhere"], "does not exist"),
     (["--port", "99999"], "port=99999"), (["--state-dir", "x"], "does not exist")],
)  # fmt: skip
def test_what_cannot_be_served_is_said_on_standard_error(arguments, words, capsys):
    assert main(["serve", "--model", "./nowhere", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_vllm_servers_are_started_as_often_as_asked_and_not_beside_attached_ones():
    made = _servers(options("--engine", "vllm", "--replicas", "2", "--vllm-args", "--dtype float32"))
    assert len({url for url, _ in made}) == 2
    assert made[0][1]._command[-2:] == ["--dtype", "float32"]
    assert _servers(options("--engine", "vllm", "--attach", "http://gpu1:8000")) == []
    assert _servers(options()) == []


def test_a_checkpoint_answers_over_http_in_every_mode(toy_folder: Path, toy: Any, tmp_path: Path):
    arguments = ["--state-dir", str(tmp_path), "--num-beams", "12", "--max-new-tokens", "24", "--device", "cpu"]
    given = build_parser().parse_args(["serve", "--model", str(toy_folder), *arguments])
    with TestClient(build(given, config_of(given))) as client:
        for mode in ("direct", "reasoning", "mixed"):
            body = {
                "history": ["Fargo", "f5"],
                "mode": mode,
                "k": 4,
                "filters": {"exclude_history": True},
                "audit": True,
            }
            answer = client.post("/v1/recommendations", json=body)
            assert answer.status_code == 200, answer.text
            found = [item["id"] for item in answer.json()["items"]]
            assert len(set(found)) == 4
            assert not {"f3", "f5"} & set(found)
            assert client.get(f"/v1/audits/{answer.json()['id']}").json()["items"] == answer.json()["items"]
        direct = client.post("/v1/recommendations", json={"history": ["f3", "f5"], "k": 3}).json()
        wanted = toy.recommend(["f3", "f5"], 3, num_beams=12)
        assert [item["id"] for item in direct["items"]] == [entry.item_id for entry in wanted]
        assert direct["model"]["index_hash"] == toy.item_codes.hash
        assert direct["model"]["stage"] == "toy"
        various = client.post("/v1/recommendations", json={"history": ["f3"], "k": 3, "diversity": 1.0}).json()
        firsts = [item["sid"].split(">")[0] for item in various["items"]]
        assert len(set(firsts)) == 3, "three groups of first codes exist, so full variety lists one of each"
        assert client.get("/ready").json()["parts"] == {"direct": True, "reasoning": True, "draining": False}
        assert 'genrec_batch_size_count{part="chains"} 2.0' in client.get("/metrics").text
