"""Bad input: an error that names file, line, value and remedy, or a counted skip with lines in a file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from genrec.data import DataError, load_dataset
from genrec.data.errors import SkipLog, describe

GOOD = [f"{user},{item},{day}" for user in ("u1", "u2") for day, item in enumerate("abcd", 1)]


def csv(path: Path, *extra: str, header: str = "user_id,item_id,timestamp") -> Path:
    path.write_text("\n".join([header, *GOOD, *extra]) + "\n")
    return path


def load_both_ways(path: Path, message: str, kind: str, lines: list[int | None], **options: Any) -> None:
    """The error has the message; the skip leaves the good rows and lists the bad lines."""
    with pytest.raises(DataError, match=message):
        load_dataset(path, **options)
    listed = path.parent / "skipped.jsonl"
    dataset = load_dataset(path, on_error="skip", skip_file=listed, **options)
    rows = [json.loads(line) for line in listed.read_text().splitlines()]
    assert [(row["kind"], row["line"]) for row in rows] == [(kind, line) for line in lines]
    assert all(row["file"] == str(path) for row in rows)
    assert dataset.info["skipped"] == {kind: len(lines)}
    assert [history.tolist() for history in dataset.histories] == [[0, 1, 2, 3]] * 2
    assert dataset.counts[0]["skipped_rows"] == (0 if kind == "short_user" else len(lines))


def test_unparseable_time(tmp_path: Path) -> None:
    path = csv(tmp_path / "t.csv", "u1,a,yesterday", "u2,b,", "u2,b,nan")
    message = r"t\.csv, line 10: the time cannot be read.*\(value: 'yesterday'\)\. Remedy: pass time_format.*'skip'"
    load_both_ways(path, message, "bad_time", [10, 11, 12])


@pytest.mark.parametrize(("row", "column"), [(",a,1", "user_id"), ("u1,  ,1", "item_id")])
def test_null_ids(tmp_path: Path, row: str, column: str) -> None:
    message = rf"t\.csv, line 10: {column} is null, empty or not an id.*Remedy: fill it in"
    load_both_ways(csv(tmp_path / "t.csv", row), message, "null_id", [10])


def test_wrong_type(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("user_id,item_id,rating\n" + "".join(f"{r[:4]},4\n" for r in GOOD) + "u1,a,good\n")
    load_both_ways(path, r"t\.csv, line 10: rating is not a number \(value: 'good'\)", "wrong_type", [10])


def test_an_absent_rating_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("user_id,item_id,rating\nu,a,\nu,b,4\nu,c,5\n")
    assert load_dataset(path).num_interactions == 3


def test_users_with_fewer_than_three_events(tmp_path: Path) -> None:
    path = csv(tmp_path / "t.csv", "u3,a,1", "u3,z,2")
    message = r"t\.csv, line 10: user 'u3' has 2 interactions, fewer than 3 \(1 such users\).*k_core=3"
    load_both_ways(path, message, "short_user", [10])
    assert load_dataset(path, min_events=1).num_users == 3


@pytest.mark.parametrize(
    ("line", "what"), [("u1,a,1,extra", "has 4 fields, the header 3"), ("u1,caf\udce9,1", "is not UTF-8")]
)
def test_lines_that_are_no_csv(tmp_path: Path, line: str, what: str) -> None:
    path = csv(tmp_path / "t.csv")
    path.write_bytes(path.read_bytes() + line.encode("utf-8", "surrogateescape") + b"\n")
    load_both_ways(path, rf"t\.csv, line 10: the line {what}.*Remedy: quote fields", "bad_line", [10])


@pytest.mark.parametrize("line", ["{oops", "[1, 2]", '"text"', "nothing"])
def test_lines_that_are_no_json(tmp_path: Path, line: str) -> None:
    rows = [dict(zip(("user_id", "item_id", "timestamp"), row.split(","), strict=True)) for row in GOOD]
    (tmp_path / "t.jsonl").write_text("\n".join([*map(json.dumps, rows), "", line]) + "\n")
    load_both_ways(tmp_path / "t.jsonl", r"t\.jsonl, line 10: the line (cannot|is not)", "bad_line", [10])


@pytest.mark.parametrize("bad", [{"user_id": None}, {"user_id": ["x"]}, {"user_id": True}, {"user_id": "\ud800"}])
def test_json_ids_of_the_wrong_kind(tmp_path: Path, bad: dict[str, Any]) -> None:
    rows = [dict(zip(("user_id", "item_id", "timestamp"), row.split(","), strict=True)) for row in GOOD]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, [*rows, rows[0] | bad])) + "\n")
    load_both_ways(tmp_path / "t.jsonl", r"t\.jsonl, line 9: user_id is null, empty or not an id", "null_id", [9])


@pytest.mark.parametrize("name", ["t.csv.gz", "t.jsonl.gz"])
def test_truncated_gzip(tmp_path: Path, name: str) -> None:
    filler = "".join(f"u{i % 40},i{i % 30},{i}\n" for i in range(20_000))
    text = "user_id,item_id,timestamp\n" + filler
    if "jsonl" in name:
        fields = ("user_id", "item_id", "timestamp")
        text = "".join(json.dumps(dict(zip(fields, r.split(","), strict=True))) + "\n" for r in filler.split("\n")[:-1])
    whole = gzip.compress(text.encode())
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=rf"{name}, line \d+: the compressed file is truncated.*Remedy: download"):
        load_dataset(tmp_path / name)
    dataset = load_dataset(tmp_path / name, on_error="skip", skip_file=tmp_path / "skipped.jsonl")
    assert 5_000 < dataset.num_interactions < 15_000
    assert "truncated_gzip" in (tmp_path / "skipped.jsonl").read_text()


def test_a_file_that_only_claims_to_be_gzip(tmp_path: Path) -> None:
    csv(tmp_path / "t.csv.gz")
    with pytest.raises(DataError, match="the content is not gzip"):
        load_dataset(tmp_path / "t.csv.gz")


@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_a_missing_column_cannot_be_skipped(tmp_path: Path, on_error: Any) -> None:
    path = csv(tmp_path / "t.csv", header="user_id,thing,timestamp")
    with pytest.raises(DataError, match=r"t\.csv: column 'item_id' is missing; there are .*pass columns="):
        load_dataset(path, on_error=on_error)
    with pytest.raises(DataError, match=r"column 'day' \(mapped to timestamp\) is missing; there are .*'thing'"):
        load_dataset(path, on_error=on_error, columns={"item_id": "thing", "timestamp": "day"})


def test_a_missing_json_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"user_id": 1, "thing": 2}\n')
    with pytest.raises(DataError, match=r"column 'item_id' is missing"):
        load_dataset(tmp_path / "t.jsonl")
    with pytest.raises(
        DataError, match=r"column 'it' \(mapped to item_id\) is missing; there are \['user_id', 'thing'\]"
    ):
        load_dataset(tmp_path / "t.jsonl", columns={"item_id": "it"})


def test_nothing_left_after_the_core(tmp_path: Path) -> None:
    message = r"t\.csv: nothing is left after 9/9-core; there were 2 users, 4 items, 8 interactions.*lower k_core"
    with pytest.raises(DataError, match=message):
        load_dataset(csv(tmp_path / "t.csv"), k_core=9, on_error="skip")


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user_id,item_id\n")
    with pytest.raises(DataError, match="nothing is left after read"):
        load_dataset(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(DataError, match=r"b\.csv: the file cannot be read"):
        load_dataset(tmp_path / "b.csv")


def test_a_damaged_parquet_file(tmp_path: Path) -> None:
    frame = pl.DataFrame({"user_id": range(1000), "item_id": range(1000)})
    frame.write_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes((tmp_path / "t.parquet").read_bytes()[:-200])
    with pytest.raises(DataError, match=r"t\.parquet: the file cannot be read"):
        load_dataset(tmp_path / "t.parquet")


def test_parquet_ids_that_are_lists(tmp_path: Path) -> None:
    pl.DataFrame({"user_id": [[1], [2]], "item_id": [1, 2]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet, line 1: user_id is null, empty or not an id"):
        load_dataset(tmp_path / "t.parquet")


def test_unknown_formats_and_options(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"1")
    with pytest.raises(DataError, match=r"x\.bin: no source reads this"):
        load_dataset(tmp_path / "x.bin")
    with pytest.raises(ValueError, match=r"unknown options \['colour'\]"):
        load_dataset(csv(tmp_path / "t.csv"), colour="red")
    with pytest.raises(ValueError, match="on_error is 'maybe'"):
        load_dataset(csv(tmp_path / "t.csv"), on_error="maybe")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="min_rating is set but the data has no ratings"):
        load_dataset(csv(tmp_path / "t.csv"), min_rating=3)


def test_the_skip_file_goes_to_the_cache_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREAM_CACHE", str(tmp_path / "cache"))
    dataset = load_dataset(csv(tmp_path / "t.csv", ",a,1"), on_error="skip")
    assert dataset.info["skip_file"] == str(tmp_path / "cache" / "skipped" / "t.jsonl")
    assert Path(dataset.info["skip_file"]).read_text().count("\n") == 1


def test_messages_shorten_long_values() -> None:
    message = describe("bad", file="f", line=3, value="x" * 500, remedy="fix it")
    assert message.startswith("f, line 3: bad (value: 'xxx")
    assert message.endswith("). Remedy: fix it.")
    assert len(message) < 200
    log = SkipLog("skip")
    log.bad("kind", "what", value="y" * 500)
    assert len(log.rows[0]["value"]) == 120
