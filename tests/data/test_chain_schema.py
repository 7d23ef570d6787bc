"""Chains survive a round trip, and a bad one is named by file, line and field."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from genrec.data import Catalogue, Chain, DataError, read_chains, validate, write_chains

CATALOGUE = Catalogue.from_records([{"item_id": name} for name in "abc"])
CHAIN = Chain(
    user_id="u1",
    history=["a", "b"],
    target="c",
    behaviour="Bought a, then b.",
    preferences="Likes letters.",
    intent="Wants the next one.",
    recommendation="c follows b.",
    denoised=["b"],
    teacher="offline",
    extra={"score": 0.5},
)


def test_round_trip(tmp_path: Path) -> None:
    chains = [CHAIN, replace(CHAIN, user_id="u2", behaviour="“quoted”\nlines", extra={})]
    write_chains(tmp_path / "c.jsonl", chains)
    assert read_chains(tmp_path / "c.jsonl") == chains
    assert Chain.from_json(CHAIN.to_json()) == CHAIN


def test_extra_may_be_absent() -> None:
    row = json.loads(CHAIN.to_json())
    del row["extra"]
    assert Chain.from_json(json.dumps(row)).extra == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": None}, "line 2: chain field 'target' must be a str"),
        ({"history": ["a", 1]}, "line 2: chain field 'history' must be a list of str"),
        ({"extra": []}, "line 2: chain field 'extra' must be a dict"),
        ({"typo": "x"}, r"line 2: chain fields missing: \[\], unknown: \['typo'\]"),
    ],
)
def test_a_bad_field_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    bad = json.loads(CHAIN.to_json()) | change
    (tmp_path / "c.jsonl").write_text(CHAIN.to_json() + "\n" + json.dumps(bad) + "\n")
    with pytest.raises(DataError, match=message):
        read_chains(tmp_path / "c.jsonl")


def test_a_line_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text("\n{oops\n")
    with pytest.raises(DataError, match=r"c\.jsonl, line 2: the line cannot be parsed"):
        read_chains(tmp_path / "c.jsonl")
    with pytest.raises(DataError, match="line 3: the chain is not JSON"):
        Chain.from_json("{", number=3)
    with pytest.raises(DataError, match="must be a JSON object"):
        Chain.from_json("[]")


def test_a_good_chain_is_valid() -> None:
    validate(CHAIN, CATALOGUE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"intent": "  "}, "line 4: chain field 'intent' is empty"),
        ({"history": []}, "line 4: chain field 'history' is empty"),
        ({"target": "z"}, "line 4: chain field 'target'.*no such item"),
        ({"denoised": ["c"]}, r"'denoised' names items that are not in the history \(value: \['c'\]\)"),
    ],
)
def test_validate_names_line_and_field(change: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        validate(replace(CHAIN, **change), CATALOGUE, line=4)
