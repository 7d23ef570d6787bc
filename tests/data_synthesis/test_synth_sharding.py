"""One job in parts: the same rows as in one piece, each part resumed on its own, with and without Ray."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from data_synthesis.cli import WRONG_INPUT, main
from data_synthesis.core.asking import JobConfig
from data_synthesis.job import rejects_path, statistics_path
from data_synthesis.sharding import ShardConfig, shard_path, share_of
from genrec.data.texts import read_texts

Serve = Callable[..., Any]


def _command(out: Path, server: Any, *words: str) -> list[str]:
    settings = ["--data", "toy", "--engine", "openai", "--model", "m", "--quiet", "--retry_wait", "0.01"]
    settings += ["near_duplicates=0", "attempts=8", "max_rows=25"]
    return ["items", "--out", str(out), "--base_url", server.url, *settings, *words]


def test_parts_one_after_another_make_the_file_of_the_whole(serve: Serve, tmp_path: Path) -> None:
    server = serve("--failures", "0.2", "--modes", "invalid_json", "wrong_schema")
    whole, parts = tmp_path / "whole.jsonl", tmp_path / "parts.jsonl"
    assert main(_command(whole, server)) == 0
    assert main(_command(parts, server, "shards=3")) == 0
    assert len(read_texts(parts)) == 25
    assert [row.subject for row in read_texts(parts)] == [row.subject for row in read_texts(whole)]
    found = json.loads(statistics_path(parts).read_text())
    assert found["events"] == json.loads(statistics_path(whole).read_text())["events"]
    assert sum(found["rejected_attempts"].values()) == len(rejects_path(parts).read_text().splitlines()) > 0


def test_finished_part_is_not_asked_again_and_the_join_needs_all(serve: Serve, tmp_path: Path) -> None:
    server, out = serve(), tmp_path / "a.jsonl"
    assert main(_command(out, server, "shards=3", "shard=1")) == 0
    assert len(read_texts(shard_path(out, 1, 3))) == 8  # rows 8 to 15 of 25
    asked = len(server.log())
    assert asked == 8
    assert main(_command(out, server, "shards=3")) == 0
    assert len(server.log()) == 25
    assert main(_command(out, server, "shards=3")) == 0, "typed again it only joins"
    assert len(server.log()) == 25
    shard_path(out, 2, 3).write_text(shard_path(out, 2, 3).read_text() + "\n")
    assert main(_command(out, server, "shards=3")) == WRONG_INPUT


def test_foreign_file_is_not_replaced(serve: Serve, tmp_path: Path) -> None:
    server, out = serve(), tmp_path / "a.jsonl"
    assert main(_command(out, server)) == 0
    before = out.read_bytes()
    assert main(_command(out, server, "shards=2", "temperature=0.1")) == WRONG_INPUT
    assert out.read_bytes() == before
    assert main(_command(out, server, "shards=2", "temperature=0.1", "--overwrite")) == 0


def test_parts_side_by_side_stay_within_the_limits_of_the_whole() -> None:
    job = JobConfig(
        concurrency=10, requests_per_minute=10, max_cost=9.0, max_tokens=10, price_in=1.0, tokens_per_minute=5
    )
    share = share_of(job, 3, side_by_side=True)
    assert (share.concurrency, share.requests_per_minute, share.tokens_per_minute) == (3, 4, 2)
    assert (share.max_cost, share.max_tokens) == (3.0, 4)
    assert share_of(job, 3, side_by_side=False).concurrency == 10


def test_cap_of_a_part_is_never_no_cap() -> None:
    assert share_of(JobConfig(max_tokens=2), 3, side_by_side=True).max_tokens == 1


@pytest.mark.parametrize("changes", [{"shards": 0}, {"shards": 2, "shard": 2}, {"ray": "local"}])
def test_impossible_parts_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="shard"):
        ShardConfig(**changes)


@pytest.mark.slow
def test_ray_runs_each_part_once(serve: Serve, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="needs the extra `ray`")
    server, out = serve(), tmp_path / "a.jsonl"
    assert main(_command(out, server, "shards=2", "shard=0")) == 0
    assert main(_command(out, server, "shards=2", "ray=local")) == 0
    assert len(read_texts(out)) == 25
    assert len({row.subject for row in read_texts(out)}) == 25
    assert len(server.log()) == 25, "the finished part is not asked again"
