"""Raw Amazon dumps of 2014 and 2018: k-core, texts, and evidence from training reviews only."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from genrec.data import DataError, load_dataset

TEXT = "A faithful companion on every trip, would buy again."


def review(user: str, item: str, day: int, rating: float = 5.0, text: str | None = TEXT) -> dict[str, Any]:
    row = {
        "reviewerID": user,
        "asin": item,
        "overall": rating,
        "unixReviewTime": day * 86_400,
        "summary": "s",
    }
    return row if text is None else {**row, "reviewText": text}


def dense_reviews() -> list[dict[str, Any]]:
    """Five users with the same five items in the same order: a 5-core."""
    return [review(f"U{u}", f"I{i}", 10 + i, text=f"{TEXT} U{u} on I{i}") for u in range(5) for i in range(5)]


def write(path: Path, lines: list[str]) -> Path:
    data = "".join(line + "\n" for line in lines).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture
def dump_2014(tmp_path: Path) -> Path:
    rows = [*dense_reviews(), review("U9", "I0", 3), review("U0", "I9", 99), review("U0", "I0", 50)]
    meta = {"asin": "I1", "title": "Tent &amp; pegs", "price": 9.99, "categories": [["Sports", "Camping"]]}
    items = [repr({**meta, "brand": "O'Neill", "description": "It's dry."}), repr({"asin": "XX"})]
    write(tmp_path / "meta_Sports.json.gz", items)
    return write(tmp_path / "reviews_Sports_5.json.gz", [json.dumps(row) for row in rows])


@pytest.mark.parametrize("by_folder", [True, False])
def test_the_2014_dump_with_python_metadata(dump_2014: Path, by_folder: bool) -> None:
    dataset = load_dataset(dump_2014.parent if by_folder else dump_2014)
    assert dataset.name == "amazon_sports_5"
    assert [(c["step"], c["interactions"]) for c in dataset.counts] == [
        ("read", 28),
        ("exact duplicates dropped", 28),
        ("first of repeated pairs", 27),
        ("5/5-core", 25),
        ("users with >= 3 events", 25),
    ]
    assert all(history.tolist() == [0, 1, 2, 3, 4] for history in dataset.histories)
    assert dataset.catalogue.attributes(1) == {"brand": ["O'Neill"], "categories": ["Sports", "Camping"]}
    assert dataset.catalogue.titles[:2] == ["item I0", "Tent & pegs"]
    assert "It's dry." in dataset.catalogue.text(1)


def test_evidence_comes_from_training_interactions_only(dump_2014: Path) -> None:
    reviews = load_dataset(dump_2014).catalogue.frame["reviews"].to_list()
    assert [len(texts) for texts in reviews] == [5, 5, 5, 0, 0]
    assert reviews[0][0] == f"{TEXT} U0 on I0"


def test_evidence_follows_the_declared_split(dump_2014: Path) -> None:
    cuts = {"kind": "by_time", "valid_from": 11 * 86_400, "test_from": 13 * 86_400}
    dataset = load_dataset(dump_2014, evidence_split=cuts)
    assert [len(texts) for texts in dataset.catalogue.frame["reviews"].to_list()] == [5, 0, 0, 0, 0]
    split = dataset.split(**cuts)
    assert [history.tolist() for history in split.train] == [[0]] * 5
    with pytest.raises(DataError, match="item texts hold reviews from the training part"):
        dataset.split()


def test_the_declared_split_survives_saving(dump_2014: Path, tmp_path: Path) -> None:
    shares = {"kind": "by_time", "fractions": (0.2, 0.2)}
    load_dataset(dump_2014, evidence_split=shares).save(tmp_path / "saved")
    assert load_dataset(tmp_path / "saved").split(**shares).kind == "by_time"


def test_low_rated_short_and_too_many_reviews_are_left_out(tmp_path: Path) -> None:
    rows = [review(f"U{u:02d}", f"I{i}", i, text=f"{TEXT} {u}") for u in range(12) for i in range(5)]
    rows[0] |= {"overall": 3.0}
    rows[5] |= {"reviewText": "nice"}
    del rows[10]["reviewText"]
    dataset = load_dataset(write(tmp_path / "Toys.json", [json.dumps(row) for row in rows]))
    assert dataset.catalogue.frame["reviews"].to_list()[0] == [f"{TEXT} {u}" for u in range(3, 11)]


def test_the_2018_dump_with_lists_in_its_metadata(tmp_path: Path) -> None:
    meta = {
        "asin": "I0",
        "title": "Console",
        "description": ["Fast.", ""],
        "feature": ["4K"],
        "category": ["Games", "PC"],
    }
    write(
        tmp_path / "meta_Video_Games.json.gz",
        [json.dumps(meta), json.dumps({**meta, "title": "second entry"})],
    )
    dump = write(tmp_path / "Video_Games_5.json.gz", [json.dumps(row) for row in dense_reviews()])
    catalogue = load_dataset(dump, name="games").catalogue
    assert catalogue.titles[0] == "Console"
    assert catalogue.frame["description"][0] == "Fast. 4K"
    assert catalogue.attributes(0) == {"categories": ["Games", "PC"]}


def test_a_truncated_dump_is_an_error_or_a_counted_skip(dump_2014: Path, tmp_path: Path) -> None:
    rows = [json.dumps(row | {"reviewText": str(i) * 5000}) for i, row in enumerate(dense_reviews() * 3)]
    whole = gzip.compress("".join(row + "\n" for row in rows).encode(), compresslevel=0)
    cut = tmp_path / "cut.json.gz"
    cut.write_bytes(whole[: int(len(whole) * 0.8)])
    with pytest.raises(DataError, match=r"cut\.json\.gz, line \d+: the compressed file is truncated.*again"):
        load_dataset(cut)
    skipped = tmp_path / "skipped.jsonl"
    dataset = load_dataset(cut, on_error="skip", skip_file=skipped)
    assert dataset.num_users == 5
    assert json.loads(skipped.read_text())["kind"] == "truncated_gzip"


def test_bad_metadata_lines_are_named(dump_2014: Path) -> None:
    write(dump_2014.parent / "meta_Sports.json.gz", ["{'asin': 'I1'}", "{'asin': import}"])
    with pytest.raises(DataError, match=r"meta_Sports\.json\.gz, line 2: the line cannot be parsed"):
        load_dataset(dump_2014)


def test_two_dumps_in_a_folder_need_a_choice(dump_2014: Path) -> None:
    write(dump_2014.parent / "Other.json", [json.dumps(review("U", "I", 1))])
    with pytest.raises(DataError, match="several review files"):
        load_dataset(dump_2014.parent)
