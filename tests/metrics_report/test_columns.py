"""Tables: which columns, how numbers are written, several seeds in one row."""

from __future__ import annotations

from report_toys import direct, metrics, row

from genrec.metrics.report.columns import is_baseline, number
from genrec.metrics.report.tables import make_table, over_seeds, result_tables


def test_the_best_of_a_quality_column_is_marked_and_of_a_count_is_not():
    table = make_table("t", [direct("A", "", 0.1), direct("B", "", 0.2, invalid=5)], ["NDCG@10", "invalid"])
    assert [[cell.best for cell in cells] for cells in table.cells] == [[False, False], [True, False]]
    assert [[cell.text for cell in cells] for cells in table.cells] == [["0.1000", "0"], ["0.2000", "5"]]


def test_equal_values_have_no_best():
    table = make_table("t", [direct("A", "", 0.1), direct("B", "", 0.1)], ["NDCG@10"])
    assert not any(cell.best for cells in table.cells for cell in cells)


def test_columns_that_no_row_holds_are_left_out_and_an_empty_table_is_none():
    assert make_table("t", [direct("A", "", 0.1)], ["NDCG@10", "Pass@1"]).columns == ["NDCG@10"]
    assert make_table("t", [direct("A", "", 0.1)], ["Pass@1"]) is None
    assert make_table("t", [], ["NDCG@10"]) is None


def test_an_interval_stands_behind_its_figure():
    table = make_table(
        "t", [row("A", "", "reasoning", **{"Pass@1": 0.2, "Pass@1_low": 0.1, "Pass@1_high": 0.3})], ["Pass@1"]
    )
    assert table.cells[0][0].text == "0.2000 [0.1000, 0.3000]"


def test_seeds_are_averaged_with_their_standard_deviation():
    # mean of 0.1, 0.2, 0.3 is 0.2, standard deviation 0.1; invalid items add up
    rows = [direct("A", "x", value, seed=i, invalid=i) for i, value in enumerate((0.1, 0.2, 0.3))]
    (merged,) = over_seeds(rows)
    assert abs(merged["NDCG@10"] - 0.2) < 1e-12
    assert abs(merged["NDCG@10_std"] - 0.1) < 1e-12
    assert merged["invalid"] == 3
    assert merged["seed"] == [0, 1, 2]
    assert make_table("t", [merged], ["NDCG@10"]).cells[0][0].text == "0.2000 ± 0.1000"


def test_direct_and_reasoning_rows_make_different_tables():
    titles = [table.title for table in result_tables(metrics()["rows"])]
    assert titles == ["Direct mode, all users, full catalogue", "Reasoning mode, fixed sample of users"]


def test_numbers_are_written_for_their_column():
    assert number("Coverage@10", 0.316) == "31.6 %"
    assert number("n_users", 22363) == "22,363"
    assert number("NDCG@10", 0.04) == "0.0400"
    assert number("Popularity@10", 171.27) == "171.3"
    assert number("NDCG@10", None) == ""


def test_baselines_are_told_by_their_name():
    assert is_baseline(direct("SASRec (CE)", "", 0.1))
    assert is_baseline(direct("popularity", "", 0.1))
    assert not is_baseline(direct("GREAM", "align", 0.1))
