"""New items enter a running server, are listed, and are there again after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient

from gream.cli import build_parser
from gream.serving.command import build, config_of

pytestmark = pytest.mark.serve


@pytest.fixture
def arguments(toy: Any, toy_folder: Path, tmp_path: Path) -> list[str]:
    """`gream serve` for the toy checkpoint with an index folder whose codebooks give its codes."""
    from genrec.llm.encoders import load_encoder
    from genrec.sid.codes import ItemCodes
    from genrec.sid.rq_kmeans import RQKMeans
    from gream.indexing import ItemIndex
    from gream.recommend import save_recommender

    encoder = load_encoder("hash")
    vectors = encoder.encode([toy.catalogue.text(i) for i in range(len(toy.catalogue))])
    random = np.random.default_rng(0)
    books = [random.normal(size=(size, vectors.shape[1])).astype(np.float32) for size in toy.item_codes.codebook_sizes]
    codes = ItemCodes(
        toy.item_codes.codes, toy.item_codes.codebook_sizes, toy.item_codes.nominal_levels, {"encoder": encoder.name}
    )
    ItemIndex(codes, {}, vectors, RQKMeans(books)).save(tmp_path / "index")
    p = toy.parts
    model = save_recommender(tmp_path / "model", p.model, p.tokenizer, codes, p.catalogue, p.prompt_config)
    return ["serve", "--model", str(model), "--state-dir", str(tmp_path / "state"), "--num-beams", "30", "--device",
            "cpu", "--index", str(tmp_path / "index"), "--encoder", "hash"]  # fmt: skip


def app_of(arguments: list[str]) -> Any:
    given = build_parser().parse_args(arguments)
    return build(given, config_of(given))


FIRST = {"id": "n1", "title": "Aliens versus Stalker", "categories": ["Horror"], "price": 3}
NEW = {"items": [FIRST, {"id": "n2", "title": "Heat 2"}]}


def test_an_item_is_inserted_listed_and_survives_a_restart(arguments):
    with TestClient(app_of(arguments)) as client:
        before = client.post("/v1/recommendations", json={"history": ["f1"], "k": 12}).json()
        assert client.get("/v1/items/n1").status_code == 404
        told = client.post("/v1/items", json=NEW)
        assert (told.status_code, told.json()["num_items"]) == (201, 14)
        assert told.json()["model"]["index_hash"] != before["model"]["index_hash"]
        after = client.post("/v1/recommendations", json={"history": ["f1"], "k": 14}).json()
        found = {item["id"]: item["sid"] for item in after["items"]}
        assert {"n1", "n2"} < set(found)
        assert all(found[item["id"]] == item["sid"] for item in before["items"]), "old semantic IDs stay"
        body = {"history": ["Aliens versus Stalker"], "mode": "reasoning", "k": 1, "filters": {"max_price": 5}}
        assert [item["id"] for item in client.post("/v1/recommendations", json=body).json()["items"]] == ["n1"]
        again = client.post("/v1/items", json=NEW)
        assert (again.status_code, again.json()["error"]["code"]) == (422, "item_exists")
    with TestClient(app_of(arguments)) as client:
        again = client.post("/v1/recommendations", json={"history": ["f1"], "k": 14}).json()
        assert {item["id"]: item["sid"] for item in again["items"]} == found


def test_a_server_without_an_index_takes_no_items(arguments, tmp_path):
    plain = arguments[: arguments.index("--index")]
    with TestClient(app_of(plain)) as client:
        refused = client.post("/v1/items", json=NEW)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "inserts_disabled")


def test_what_does_not_fit_is_refused_whole(arguments):
    many = {"items": [{"id": f"m{i}", "title": f"film {i}"} for i in range(20)]}  # 24 codes for 12 + 20 items
    with TestClient(app_of(arguments)) as client:
        refused = client.post("/v1/items", json=many)
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "cannot_insert")
        assert client.get("/v1/settings").json()["num_items"] == 12
        assert client.post("/v1/items", json=NEW).status_code == 201, "the index is as it was"
        twice = client.post("/v1/items", json={"items": [{"id": "x", "title": "a"}, {"id": "x", "title": "b"}]})
        assert twice.status_code == 422
