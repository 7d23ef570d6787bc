"""De-duplication, k-core and order on tables small enough to check by hand."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genrec.data.filters import drop_exact_duplicates, drop_repeats, in_time_order, iterated_k_core


def frame(pairs: str, **columns: list[float]) -> pl.DataFrame:
    """Interactions from "u1 i1, u1 i2"."""
    rows = [pair.split() for pair in pairs.split(", ")]
    table = pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row").with_row_index("line", offset=1)
    return table.with_columns([pl.Series(name, values) for name, values in columns.items()])


def test_the_core_is_iterated() -> None:
    # c falls (one event), then z has one user left and falls, then b has one event left and falls.
    table = frame("a x, a y, b x, b z, c z, d x, d y")
    assert iterated_k_core(table, 2, 2)["line"].to_list() == [1, 2, 6, 7]


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_in_the_core_everybody_has_enough(pairs: list[tuple[int, int]], user_core: int, item_core: int) -> None:
    table = pl.DataFrame(pairs, schema=[("user_id", pl.Int64), ("item_id", pl.Int64)], orient="row")
    core = iterated_k_core(table, user_core, item_core)
    assert all(n >= user_core for n in core["user_id"].value_counts()["count"])
    assert all(n >= item_core for n in core["item_id"].value_counts()["count"])


def test_exact_duplicates_need_the_same_moment() -> None:
    table = frame("a x, a x, a x, b x", timestamp=[1.0, 1.0, 2.0, 1.0])
    assert drop_exact_duplicates(table)["line"].to_list() == [1, 3, 4]
    assert len(drop_exact_duplicates(table.drop("timestamp"))) == 4


@pytest.mark.parametrize(("repeats", "lines"), [("keep", [1, 2, 3]), ("first", [1, 2]), ("last", [2, 3])])
def test_repeated_pairs(repeats: str, lines: list[int]) -> None:
    assert drop_repeats(frame("a x, a y, a x"), repeats)["line"].to_list() == lines


def test_an_unknown_repeat_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="'keep', 'first' or 'last'"):
        drop_repeats(frame("a x"), "some")


def test_ties_in_time_follow_position_then_line() -> None:
    table = frame("b p, a q, a r, a s, a t", timestamp=[1.0, 5.0, 5.0, 2.0, 5.0], position=[0, 1, 0, 9, 0])
    assert in_time_order(table)["item_id"].to_list() == ["s", "r", "t", "q", "p"]
    assert in_time_order(table.drop("position"))["item_id"].to_list() == ["s", "q", "r", "t", "p"]
