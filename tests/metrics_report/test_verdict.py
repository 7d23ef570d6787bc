"""What a report says first, and what it never hides."""

from __future__ import annotations

import pytest
from report_toys import direct, metrics, row

from genrec.metrics.report.schema import checked, json_values, unrecorded
from genrec.metrics.report.verdict import findings


def texts(level, **changes):
    return [f.text for f in findings(checked(metrics(**changes))) if f.level == level]


def stage(before, after):
    return [{"stage": "srpo", "metric": "Pass@1", "before": before, "after": after}]


def test_a_run_that_went_well_has_no_warning():
    assert texts("warning") == []
    assert "Each stage ended better than it began on validation." in texts("good")


@pytest.mark.parametrize("after", [0.02, 0.019])
def test_a_stage_that_did_not_gain_is_a_warning_with_both_numbers(after):
    (warning,) = texts("warning", stages=stage(0.02, after))
    assert warning.startswith("Stage 'srpo' did not end better than it began: Pass@1 on validation 0.0200 before")
    assert f"{after:.4f} after" in warning


def test_one_stage_without_gain_withdraws_the_praise():
    mixed = [*stage(0.0, 0.1), {"stage": "align", "metric": "NDCG@10", "before": 0.2, "after": 0.1}]
    assert not [text for text in texts("good", stages=mixed) if text.startswith("Each stage")]


def test_a_stage_without_validation_is_noted():
    assert "Stage 'srpo' has no validation before and after." in texts("note", stages=stage(None, None))


def test_losing_to_popularity_is_a_warning_and_losing_to_sasrec_is_said():
    rows = [direct("Popularity", "", 0.05), direct("SASRec (CE)", "", 0.06), direct("GREAM", "srpo", 0.04)]
    (warning,) = texts("warning", rows=rows)
    assert warning == "GREAM srpo does not beat Popularity: NDCG@10 0.0400 against 0.0500."
    assert texts("loss", rows=rows) == ["GREAM srpo does not beat SASRec (CE): NDCG@10 0.0400 against 0.0600."]


def test_the_last_stage_is_compared_and_not_the_best_one_on_test():
    rows = [direct("Popularity", "", 0.03), direct("GREAM", "align", 0.09), direct("GREAM", "srpo", 0.02)]
    assert "GREAM srpo does not beat Popularity: NDCG@10 0.0200 against 0.0300." in texts("warning", rows=rows)


def test_a_table_without_baselines_is_a_warning():
    assert texts("warning", rows=[direct("GREAM", "srpo", 0.04)]) == [
        "No baseline stands in this table: Popularity and SASRec are missing."
    ]


def test_invalid_or_repeated_items_are_a_warning_with_their_counts():
    rows = [direct("Popularity", "", 0.01), direct("GREAM", "srpo", 0.04, invalid=3, duplicates=1)]
    assert texts("warning", rows=rows) == ["GREAM srpo, direct: 3 invalid items, 1 duplicates."]


def test_a_chain_that_makes_no_difference_is_a_warning():
    judged = row("GREAM", "srpo", "reasoning", **{"Pass@1_own_chain": 0.02, "Pass@1_swapped_chain": 0.02})
    (warning,) = texts("warning", rows=[judged])
    assert warning.startswith("The chain makes no difference")


def test_few_users_limit_what_may_be_claimed():
    assert any("128 users; a claim needs at least 1,000" in text for text in texts("note"))


def test_a_drop_of_long_lists_after_a_stage_is_noted():
    rows = [direct("GREAM", "align", 0.1), direct("GREAM", "srpo", 0.09)]
    assert "GREAM srpo changes direct Recall@50 by -10.0 % against GREAM align." in texts("note", rows=rows)


def test_facts_that_were_not_recorded_are_named():
    assert unrecorded(checked(metrics())) == []
    assert unrecorded(checked(metrics(provenance={"seeds": [0]})))[:2] == [
        "provenance.revision",
        "provenance.versions",
    ]


def test_metrics_without_a_section_or_a_row_key_are_refused():
    with pytest.raises(ValueError, match="lacks dataset"):
        checked({"protocol": {}, "provenance": {}, "rows": []})
    with pytest.raises(ValueError, match="row 0 of metrics lacks stage, seed"):
        checked(metrics(rows=[{"system": "GREAM", "mode": "direct"}]))


def test_values_become_json_and_nan_becomes_null():
    import numpy as np

    found = json_values({"a": np.float64(0.5), "b": np.array([1, 2]), "c": float("nan"), 3: (True, None)})
    assert found == {"a": 0.5, "b": [1, 2], "c": None, "3": [True, None]}
