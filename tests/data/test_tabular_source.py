"""A user's own CSV, Parquet or JSON lines, with a column mapping."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from genrec.data import Dataset, load_dataset

ROWS = [
    {"who": "ann", "sku": "s1", "when": 300, "stars": 5, "name": "Tea &amp; milk", "kind": "Drinks|Hot"},
    {"who": "ann", "sku": "s2", "when": 100, "stars": 4, "name": "Cup", "kind": "Ware"},
    {"who": "ann", "sku": "s3", "when": 200, "stars": 1, "name": None, "kind": None},
    {"who": "bob", "sku": "s1", "when": 100, "stars": 5, "name": None, "kind": "Food"},
    {"who": "bob", "sku": "s2", "when": 100, "stars": 5, "name": "Cup", "kind": "Ware"},
    {"who": "bob", "sku": "s3", "when": 100, "stars": 5, "name": "Spoon", "kind": None},
]
COLUMNS = {
    "user_id": "who",
    "item_id": "sku",
    "timestamp": "when",
    "rating": "stars",
    "title": "name",
    "categories": "kind",
}


def write(path: Path, rows: list[dict[str, object]] = ROWS) -> Path:
    """Write rows in the form that the file's name asks for."""
    frame = pl.DataFrame(rows, infer_schema_length=None)
    if ".parquet" in path.name:
        frame.write_parquet(path)
    elif ".jsonl" in path.name:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text(frame.write_csv(separator="\t" if ".tsv" in path.name else ","))
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(path.read_bytes()))
    return path


def check(dataset: Dataset) -> None:
    assert dataset.user_ids == ["ann", "bob"]
    assert dataset.catalogue.item_ids == ["s1", "s2", "s3"]
    assert [history.tolist() for history in dataset.histories] == [[1, 2, 0], [0, 1, 2]]
    assert dataset.timestamps is not None
    assert dataset.timestamps[0].tolist() == [100, 200, 300]
    assert dataset.catalogue.titles == ["Tea & milk", "Cup", "Spoon"]
    assert dataset.catalogue.attributes(0) == {"categories": ["Drinks", "Hot"]}


@pytest.mark.parametrize("name", ["log.csv", "log.tsv", "log.csv.gz", "log.parquet", "log.jsonl", "log.jsonl.gz"])
def test_every_form_gives_the_same_dataset(tmp_path: Path, name: str) -> None:
    dataset = load_dataset(write(tmp_path / name), columns=COLUMNS)
    assert dataset.name == "log"
    check(dataset)


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_item_texts_may_lie_in_a_second_table(tmp_path: Path, kind: str) -> None:
    log = write(tmp_path / f"log.{kind}", [{k: r[k] for k in ("who", "sku", "when")} for r in ROWS])
    items = [{"item_id": r["sku"], "name": r["name"], "kind": r["kind"]} for r in (ROWS[0], ROWS[1], ROWS[5])]
    columns = {ours: theirs for ours, theirs in COLUMNS.items() if ours != "rating"}
    check(load_dataset(log, items=write(tmp_path / f"items.{kind}", items), columns=columns))


def test_well_known_column_names_need_no_mapping(tmp_path: Path) -> None:
    rows = [{"userId": u, "movieId": i, "rating": 1.0, "timestamp": i} for u in (10, 9) for i in (30, 4, 20)]
    dataset = load_dataset(write(tmp_path / "ratings.csv", rows))
    assert dataset.user_ids == ["9", "10"]
    assert dataset.catalogue.item_ids == ["4", "20", "30"]


def test_recbole_headers_are_understood(tmp_path: Path) -> None:
    text = "user_id:token\titem_id:token\ttimestamp:float\n" + "".join(f"1\t{i}\t{9 - i}\n" for i in range(3))
    (tmp_path / "x.inter").write_text(text)
    assert load_dataset(tmp_path / "x.inter").histories[0].tolist() == [2, 1, 0]


NOON = int(datetime(2020, 2, 1, 12, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("times", "time_format", "seconds"),
    [
        ([str(NOON), str(NOON + 1), f"{NOON + 2}.5"], None, [NOON, NOON + 1, NOON + 2]),
        ([str(NOON * 1000), str(NOON * 1000 + 1), str(NOON * 1000 + 2000)], None, [NOON, NOON, NOON + 2]),
        (
            ["2020-02-01T12:00:00Z", "2020-02-01T14:00:01+02:00", "2020-02-01T12:00:02Z"],
            None,
            [NOON, NOON + 1, NOON + 2],
        ),
        (
            ["2020-02-01 12:00:00", "2020-02-01 12:00:01.5", "2020-02-01T12:00:02"],
            None,
            [NOON, NOON + 1, NOON + 2],
        ),
        (["2020-02-01", "2020-02-02", "2020-02-03"], None, [NOON - 43200, NOON + 43200, NOON + 129600]),
        (["01/02/2020", "02/02/2020", "03/02/2020"], "%d/%m/%Y", [NOON - 43200, NOON + 43200, NOON + 129600]),
    ],
)
def test_times_are_read(tmp_path: Path, times: list[str], time_format: str | None, seconds: list[int]) -> None:
    rows = [{"user_id": "u", "item_id": f"i{n}", "timestamp": time} for n, time in enumerate(times)]
    dataset = load_dataset(write(tmp_path / "t.csv", rows), time_format=time_format)
    assert dataset.timestamps is not None
    assert dataset.timestamps[0].tolist() == seconds
    assert dataset.histories[0].tolist() == [0, 1, 2]


def test_typed_parquet_times_are_read(tmp_path: Path) -> None:
    when = [datetime(2020, 2, 1, 12, 0, second) for second in (2, 1, 0)]
    frame = pl.DataFrame({"user_id": [1.0, 1.0, 1.0], "item_id": [1, 2, 3], "timestamp": when})
    frame.write_parquet(tmp_path / "t.parquet")
    dataset = load_dataset(tmp_path / "t.parquet")
    assert dataset.timestamps is not None
    assert dataset.timestamps[0].tolist() == [NOON, NOON + 1, NOON + 2]
    assert dataset.user_ids == ["1"]


def test_without_times_the_order_of_the_file_counts(tmp_path: Path) -> None:
    rows = [{"user_id": "u", "item_id": item} for item in ("c", "a", "b", "a")]
    dataset = load_dataset(write(tmp_path / "t.csv", rows))
    assert dataset.histories[0].tolist() == [2, 0, 1, 0]
    assert dataset.timestamps is None
    assert load_dataset(tmp_path / "t.csv", repeats="last").histories[0].tolist() == [2, 1, 0]


def test_ids_with_leading_zeros_stay_text(tmp_path: Path) -> None:
    rows = [{"user_id": "007", "item_id": item} for item in ("01", "1", "2")]
    dataset = load_dataset(write(tmp_path / "t.csv", rows))
    assert dataset.user_ids == ["007"]
    assert dataset.catalogue.item_ids == ["01", "1", "2"]


def test_a_large_json_file_is_read_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genrec.data.sources.tabular._CHUNK_ROWS", 2)
    check(load_dataset(write(tmp_path / "log.jsonl"), columns=COLUMNS))


def test_the_core_is_counted_before_and_after(tmp_path: Path) -> None:
    rows = [{"user_id": u, "item_id": i} for u in "abc" for i in "xyz"] + [{"user_id": "d", "item_id": "x"}]
    dataset = load_dataset(write(tmp_path / "t.csv", rows), k_core=3)
    steps = [(c["step"], c["users"], c["items"], c["interactions"]) for c in dataset.counts]
    assert steps[0] == ("read", 4, 3, 10)
    assert steps[-2:] == [("3/3-core", 3, 3, 9), ("users with >= 3 events", 3, 3, 9)]
    assert load_dataset(tmp_path / "t.csv", k_core=(1, 4), min_events=1).catalogue.item_ids == ["x"]
