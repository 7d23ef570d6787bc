"""A file appears whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from genrec.data.files import read_json, read_jsonl, sha256_of, write_json, write_whole


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sub" / "a.txt"
    write_whole(path, "old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_text_and_bytes_are_written_as_given(tmp_path: Path) -> None:
    write_whole(tmp_path / "t", "é\n")
    write_whole(tmp_path / "b", b"\x00\xff")
    assert (tmp_path / "t").read_bytes() == b"\xc3\xa9\n"
    assert (tmp_path / "b").read_bytes() == b"\x00\xff"


def test_json_round_trip_and_error_place(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"a": [1, "é"]})
    assert read_json(tmp_path / "x.json") == {"a": [1, "é"]}
    (tmp_path / "bad.json").write_text('{"a":\n oops}')
    with pytest.raises(ValueError, match=r"bad\.json, line 2, column 2: not JSON"):
        read_json(tmp_path / "bad.json")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "nan.json", float("nan"))


def test_sha256_of_a_file_equals_that_of_its_bytes(tmp_path: Path) -> None:
    write_whole(tmp_path / "f", b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    assert sha256_of(b"abc") == sha256_of(tmp_path / "f") == sha256_of(str(tmp_path / "f")) == known


def test_a_log_line_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1}\n{"step": 2, "lo')
    assert read_jsonl(path) == [{"step": 1}]
    assert read_jsonl(tmp_path / "absent.jsonl") == []


def test_a_broken_log_line_in_the_middle_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1\n{"step": 2}\n')
    with pytest.raises(ValueError, match=r"log\.jsonl, line 1: not JSON"):
        read_jsonl(path)
