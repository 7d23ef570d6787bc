"""A folder of interactions.parquet and items.jsonl.gz, its lookup by name, and saved datasets."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from genrec.data import DataError, Dataset, load_dataset

ROWS = {
    "user_id": [2, 2, 2, 1, 1, 1, 1],
    "item_id": [10, 9, 30, 9, 10, 9, 30],
    "position": [0, 1, 2, 3, 2, 1, 0],
}
ITEMS = [
    {
        "item_id": 9,
        "title": "Nine",
        "categories_brand_text": "Games, PC, </span></span></span>, loud, by ACME",
    },
    {"item_id": 10, "title": "Ten &amp; more", "categories_brand_text": "Games, Cables &amp; Adapters, Koei"},
    {"item_id": 30, "title": None, "asin": "B030"},
    {"item_id": 99, "title": "never bought"},
]


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "shop"
    path.mkdir()
    pl.DataFrame(ROWS).write_parquet(path / "interactions.parquet")
    write_jsonl(path / "items.jsonl.gz", ITEMS)
    return path


def test_histories_follow_position_and_ids_follow_their_number(folder: Path) -> None:
    dataset = load_dataset(folder)
    assert dataset.name == "shop"
    assert dataset.user_ids == ["1", "2"]
    assert dataset.catalogue.item_ids == ["9", "10", "30"]
    assert [h.tolist() for h in dataset.histories] == [[2, 0, 1, 0], [1, 0, 2]]
    assert dataset.timestamps is None
    assert dataset.counts[0] == {"step": "read", "users": 2, "items": 3, "interactions": 7, "skipped_rows": 0}


def test_the_combined_text_field_is_taken_apart(folder: Path) -> None:
    catalogue = load_dataset(folder).catalogue
    assert catalogue.attributes(0) == {"brand": ["ACME"], "categories": ["Games", "PC"]}
    assert catalogue.text(0) == "Nine. Brand: ACME. Categories: Games, PC. loud."
    assert catalogue.attributes(1) == {"brand": ["Koei"], "categories": ["Games", "Cables & Adapters"]}
    assert catalogue.titles == ["Nine", "Ten & more", "item B030"]


def test_timestamps_come_before_position(folder: Path) -> None:
    table = pl.DataFrame({**ROWS, "timestamp": [5, 5, 1, 4, 3, 2, 1]})
    table.write_parquet(folder / "interactions.parquet")
    dataset = load_dataset(folder)
    assert [h.tolist() for h in dataset.histories] == [[2, 0, 1, 0], [2, 1, 0]]
    assert dataset.timestamps is not None
    assert dataset.timestamps[1].tolist() == [1, 5, 5]


def test_reviews_are_evidence_only_from_training_interactions(folder: Path) -> None:
    text = "The sound is loud and clear."
    reviews = [
        {"item_id": 30, "user_id": 1, "position": 0, "rating": 5.0, "text": text + " A"},
        {"item_id": 30, "user_id": 1, "position": 0, "rating": 3.0, "text": text + " low rating"},
        {"item_id": 30, "user_id": 1, "position": 0, "rating": 5.0, "text": "too short"},
        {"item_id": 9, "user_id": 1, "position": 1, "rating": 4.0, "text": text + " B"},
        {"item_id": 10, "user_id": 1, "position": 2, "rating": 5.0, "text": text + " validation item"},
        {"item_id": 9, "user_id": 1, "position": 3, "rating": 5.0, "text": text + " test item"},
        {"item_id": 10, "user_id": None, "position": None, "rating": 5.0, "text": text + " no interaction"},
    ]
    write_jsonl(folder / "reviews.jsonl.gz", reviews)
    dataset = load_dataset(folder)
    assert dataset.catalogue.frame["reviews"].to_list() == [[f"{text} B"], [], [f"{text} A"]]
    assert dataset.split().kind == "leave_one_out"
    with pytest.raises(DataError, match=r"reload with that evidence_split"):
        dataset.split("by_time")


def test_a_name_is_found_under_the_data_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENREC_DATA", str(folder.parent))
    assert load_dataset("shop").num_users == 2
    monkeypatch.delenv("GENREC_DATA")
    monkeypatch.setenv("GREAM_CACHE", str(folder.parent / "cache"))
    with pytest.raises(DataError, match=r"no dataset or path 'shop'; looked in .*set GENREC_DATA"):
        load_dataset("shop")


def test_a_name_is_found_beside_the_checkout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder.parent / "shared").mkdir()
    (folder.parent / "work").mkdir()
    folder.rename(folder.parent / "shared" / "data_")
    (folder.parent / "shared" / "data").mkdir()
    (folder.parent / "shared" / "data_").rename(folder.parent / "shared" / "data" / "shop")
    monkeypatch.delenv("GENREC_DATA", raising=False)
    monkeypatch.chdir(folder.parent / "work")
    assert load_dataset("shop").name == "shop"


def test_a_missing_item_file_is_named(folder: Path) -> None:
    (folder / "items.jsonl.gz").unlink()
    with pytest.raises(DataError, match=r"items\.jsonl\.gz: the item file is missing"):
        load_dataset(folder)


def test_items_without_a_record_stay_in_the_catalogue(folder: Path) -> None:
    write_jsonl(folder / "items.jsonl.gz", ITEMS[:1])
    assert load_dataset(folder).catalogue.titles == ["Nine", "item 10", "item 30"]


@pytest.mark.parametrize("source", ["toy", "folder"])
def test_saving_and_loading_gives_the_same_dataset(folder: Path, tmp_path: Path, source: str) -> None:
    dataset = load_dataset("toy", num_users=5, num_items=30) if source == "toy" else load_dataset(folder)
    dataset.save(tmp_path / "saved")
    for loaded in (Dataset.load(tmp_path / "saved"), load_dataset(tmp_path / "saved")):
        assert (loaded.name, loaded.user_ids) == (dataset.name, dataset.user_ids)
        assert (loaded.counts, loaded.info) == (dataset.counts, dataset.info)
        assert all(np.array_equal(a, b) for a, b in zip(loaded.histories, dataset.histories, strict=True))
        assert (loaded.timestamps is None) == (dataset.timestamps is None)
        assert loaded.catalogue.frame.equals(dataset.catalogue.frame)


def test_a_changed_or_incomplete_saved_dataset_is_refused(folder: Path, tmp_path: Path) -> None:
    load_dataset(folder).save(tmp_path / "saved")
    (tmp_path / "saved" / "catalogue.jsonl.gz").write_bytes(b"other")
    with pytest.raises(DataError, match=r"catalogue\.jsonl\.gz: missing, or not the file that was saved"):
        Dataset.load(tmp_path / "saved")
    (tmp_path / "saved" / "dataset.json").unlink()
    with pytest.raises(DataError, match=r"no dataset\.json here"):
        Dataset.load(tmp_path / "saved")
