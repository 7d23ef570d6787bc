"""Drawings: the page's colours, the same bytes twice, long curves thinned."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from genrec.metrics.report.charts import Line, bar_chart, line_chart, smoothed, thin
from genrec.metrics.report.panels import (
    index_charts,
    mix_chart,
    result_chart,
    stage_charts,
    validation_charts,
)
from genrec.metrics.report.svg import INK, SERIES, tick


def test_a_long_curve_is_the_mean_of_equal_stretches():
    assert thin(range(6), [0, 2, 4, 6, 8, 10], most=3) == ([0.5, 2.5, 4.5], [1.0, 5.0, 9.0])
    assert thin([1, 2], [3, 4]) == ([1.0, 2.0], [3.0, 4.0])


def test_a_moving_average_uses_what_is_there_at_the_ends():
    assert smoothed([0, 3, 6, 9], window=3) == [1.5, 3.0, 6.0, 7.5]


def test_a_drawing_uses_the_colours_of_the_page_and_no_fixed_size():
    svg = line_chart("loss & <co>", [Line("training", [1, 2], [3, 4])], "step").svg
    assert "var(--s1)" in svg
    assert "var(--muted)" in svg
    assert not [colour for colour in (INK, *SERIES) if colour in svg]
    root = ET.fromstring(svg)
    assert root.attrib["aria-label"] == "loss & <co>"
    assert "width" not in root.attrib


def test_two_runs_draw_the_same_bytes():
    one, two = (bar_chart("b", ["x", "y"], [1.0, 2.0], intervals=[(0.5, 1.5), None]).svg for _ in range(2))
    assert one == two


def test_text_is_drawn_as_it_is_and_not_as_mathematics():
    svg = bar_chart("b", ["costs $5 or $6 <script>"], [1.0]).svg
    assert "costs $5 or $6 &lt;script&gt;" in svg


def test_a_long_or_hidden_name_is_cut_and_shown():
    assert tick("x" * 50) == "x" * 35 + "…"
    assert tick("a\u202eb\n c") == "a\ufffdb c"


def test_different_drawings_share_no_ids():
    svgs = [line_chart(title, [Line("a", [0, 1], [0, 1])], "step").svg for title in ("one", "two")]
    clips = [set(re.findall(r'<clipPath id="([^"]+)"', svg)) for svg in svgs]
    assert clips[0]
    assert not clips[0] & clips[1]


def test_a_stage_is_drawn_by_what_its_log_holds():
    log = [{"step": i, "loss": 1.0, "hit_rate": 0.1, "zero_variance/drawn": 0.5} for i in range(3)]
    assert [chart.title for chart in stage_charts("srpo", log)] == [
        "srpo: loss",
        "srpo: hit rate",
        "srpo: groups without signal",
    ]
    assert stage_charts("srpo", log[:1]) == []


def test_validation_needs_two_steps():
    rows = [{"step": 0, "NDCG@10": 0.1}, {"step": 9, "NDCG@10": 0.2}]
    assert [chart.title for chart in validation_charts({"align": rows, "srpo": rows[:1]})] == ["align: validation"]


def test_the_mix_and_the_index_are_drawn():
    assert mix_chart({"share": [0.0, 0.5]}).title == "Curriculum mix"
    (chart,) = index_charts({"levels": [{"size": 256, "used": 250, "perplexity": 128.0}]})
    assert "50 %" in chart.svg
    assert index_charts({}) == []


def test_one_bar_is_no_comparison():
    rows = [{"system": "GREAM", "stage": s, "mode": "direct", "seed": 0, "NDCG@10": 0.1} for s in ("a", "b")]
    assert result_chart(rows[:1], "NDCG@10", "direct") is None
    assert result_chart(rows, "NDCG@10", "direct").title == "NDCG@10, direct mode"
    assert result_chart(rows, "Pass@1", "reasoning") is None


@pytest.mark.parametrize("points", [2, 39, 40, 1000])
def test_long_curves_get_a_smoothed_line_over_the_raw_one(points):
    (chart,) = stage_charts("a", [{"step": i, "loss": float(i % 7)} for i in range(points)])
    assert (chart.svg.count("opacity: 0.35") > 0) == (points >= 40)
