"""Do README.md and RESULTS.md say what the files in results/ say?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

RUN: dict[str, Any] = {
    "dataset": {"name": "ml-100k", "users": 943, "counts": [1, 2]},
    "protocol": {"split": "leave_one_out"},
    "provenance": {"revision": "abc"},
    "rows": [
        {"system": "popularity", "mode": "scores", "Recall@10": 0.0512, "NDCG@10": 0.0254},
        {"system": "gream", "stage": "align", "mode": "direct", "seed": 0, "Recall@10": 0.1, "invalid": 0},
    ],
}


@pytest.fixture(scope="module")
def render(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    return load_tool("render_results")


def test_the_documents_are_what_the_result_files_render_to(render: ModuleType) -> None:
    for path, text in render.rendered().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is out of date: run `make results`"


def test_the_readme_table_has_a_line_per_row_and_leaves_unknown_cells_empty(render: ModuleType) -> None:
    assert render.readme_table({"gream_tiny": RUN}).splitlines() == [
        "| setting | system | stage | mode | Recall@10 | NDCG@10 | invalid |",
        "|---|---|---|---|---:|---:|---:|",
        "| gream_tiny | popularity |  | scores | 0.0512 | 0.0254 |  |",
        "| gream_tiny | gream | align | direct | 0.1000 |  | 0 |",
    ]


def test_the_document_shows_protocol_and_provenance_above_the_table(render: ModuleType) -> None:
    text = render.document({"gream_tiny": RUN}, {})
    head, body = text.split("| system |", 1)
    assert "## gream_tiny" in head
    assert (
        "* dataset: name ml-100k, users 943\n* protocol: split leave_one_out\n* provenance: revision abc"
        in head
    )
    assert "| gream | align | direct | 0 | 0.1000 |" in body


def test_a_benchmark_shows_ours_peer_and_ratio(render: ModuleType) -> None:
    text = render.document(
        {}, {"bench_beam": {"ours": 0.37, "peer": 2.0, "ratio": 5.41, "machine": "2 cores"}}
    )
    assert "| beam | 0.3700 | 2.0000 | 5.4100 | 2 cores |" in text


def test_a_bar_in_a_value_does_not_break_the_table(render: ModuleType) -> None:
    assert render.table([{"a": "x|y\nz"}], ["a"]).splitlines()[-1] == r"| x\|y z |"


def test_only_the_region_between_the_markers_changes(render: ModuleType) -> None:
    text = f"before\n{render.BEGIN}\nold\n{render.END}\nafter\n"
    assert render.between_markers(text, "new\n") == f"before\n{render.BEGIN}\nnew\n{render.END}\nafter\n"


def test_a_missing_marker_is_an_error_that_names_both(render: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"results:begin.*results:end"):
        render.between_markers("no region here", "new")


def test_rendering_twice_gives_the_same_text(render: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "gream_tiny.json").write_text(json.dumps(RUN))
    (tmp_path / "README.md").write_text(f"# x\n{render.BEGIN}\n{render.END}\n")
    first = render.rendered(tmp_path)
    for path, text in first.items():
        path.write_text(text)
    assert render.rendered(tmp_path) == first
