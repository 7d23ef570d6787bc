"""vLLM behind the recommender: the same lists, the same greedy chains, only existing items."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gream.recommend import SamplingConfig

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(900)]
HISTORIES = [[1, 2], [3], [4, 5, 6], [7, 8]]


@pytest.fixture(scope="module")
def folder(toy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy recommender with heads of width 32, the narrowest that vLLM's attention on a CPU knows."""
    from genrec.llm.backbones import TinyConfig, build_tiny
    from gream.recommend import load_parts, save_recommender

    parts = load_parts(toy_folder, device="cpu")
    shape = TinyConfig(64, 2, num_heads=2, num_kv_heads=1, intermediate=64, max_positions=512)
    model = build_tiny(shape, len(parts.tokenizer) + 3, 0).eval()
    place = tmp_path_factory.mktemp("wide")
    return save_recommender(place, model, parts.tokenizer, parts.item_codes, parts.catalogue, parts.prompt_config)


@pytest.fixture(scope="module")
def toy(folder: Path) -> Any:
    from gream import GreamRecommender

    return GreamRecommender.from_pretrained(folder, device="cpu")


@pytest.fixture(scope="module")
def engine(folder: Path, toy: Any) -> Iterator[Any]:
    from genrec.decoding.engines.vllm import VllmEngine

    opened = VllmEngine.open(
        str(folder), toy.runner.constraint, max_model_len=256, max_num_seqs=16, max_num_batched_tokens=256
    )
    yield opened
    opened.close()


def test_vllm_ranks_chains_and_answers_as_transformers_does(toy, engine):
    from gream.recommend.engine_runner import with_engine

    through = with_engine(toy, engine, "engine")
    items, scores = toy.rank_direct(HISTORIES, 5, 12, exclude_history=True)
    found, values = through.rank_direct(HISTORIES, 5, 12, exclude_history=True)
    np.testing.assert_allclose(values, scores, atol=1e-3)
    clear = np.abs(np.diff(scores, axis=1)).min(axis=1) > 2e-3  # near ties may swap
    assert found[clear].tolist() == items[clear].tolist()

    greedy = SamplingConfig(0.0, 1.0, 24)
    ours, theirs = (r.sample_chains(HISTORIES, 1, greedy, close=True) for r in (toy, through))
    assert [a.item for (a,) in theirs] == [b.item for (b,) in ours]
    assert [a.text for (a,) in theirs] == [b.text for (b,) in ours]
    np.testing.assert_allclose([a.log_prob for (a,) in theirs], [b.log_prob for (b,) in ours], atol=1e-3)

    many = HISTORIES * 4  # more prompts than fit into one step: vLLM cuts some of them in two
    drawn, again = (through.sample_chains(many, 6, SamplingConfig(0.7, 0.9, 24, 1), close=True) for _ in range(2))
    assert all(sample.item is not None for user in drawn for sample in user)
    assert len({sample.text for sample in drawn[0]}) > 1
    assert [[s.text for s in user] for user in again] == [[s.text for s in user] for user in drawn], "seeds decide"


def test_a_request_beyond_the_engines_limit_is_refused_before_it_is_sent(engine):
    with pytest.raises(ValueError, match="max_model_len of 256"):
        engine.score([[1] * 256], [[2]])


@pytest.mark.slow
def test_a_gateway_starts_vllm_and_its_chains_and_the_openai_client_get_through(folder, toy, tmp_path):
    from fastapi.testclient import TestClient
    from openai import OpenAI

    from gream.cli import build_parser
    from gream.serving.command import build, config_of

    arguments = ["--state-dir", str(tmp_path), "--num-beams", "12", "--max-new-tokens", "24", "--device", "cpu",
                 "--engine", "vllm", "--vllm-args", "--max-model-len 256"]  # fmt: skip
    given = build_parser().parse_args(["serve", "--model", str(folder), *arguments])
    with TestClient(build(given, config_of(given)), base_url="http://gateway") as client:
        deadline = time.monotonic() + 600
        while client.get("/ready").status_code != 200:
            assert time.monotonic() < deadline, (tmp_path / "vllm-0.log").read_text()[-2000:]
            time.sleep(1)
        body = {"history": ["f1", "f2"], "mode": "reasoning", "k": 3, "audit": True}
        answer = client.post("/v1/recommendations", json=body).json()
        (chain,) = client.get(f"/v1/audits/{answer['id']}").json()["chains"]
        ((ours,),) = toy.sample_chains([[1, 2]], 1, SamplingConfig(0.0, 1.0, 24), close=True)
        assert chain["text"].removeprefix("<think>").strip() == ours.chain.strip()
        several = client.post("/v1/recommendations", json={**body, "num_samples": 4}).json()
        assert len(client.get(f"/v1/audits/{several['id']}").json()["chains"]) == 4
        asked = OpenAI(base_url="http://gateway/v1", api_key="none", http_client=client)
        assert asked.models.list().data[0].id == "gream"
        assert asked.completions.create(model="gream", prompt="the user", max_tokens=4).usage.completion_tokens <= 4
