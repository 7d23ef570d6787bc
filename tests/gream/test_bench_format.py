"""Every committed benchmark speaks the one format that the table of benchmarks renders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).resolve().parents[2] / "results").glob("bench_*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_committed_benchmark_has_every_cell_of_the_table_and_its_origin(file):
    bench = json.loads(file.read_text())
    assert {"what", "setting", "machine", "versions", "revision"} <= set(bench)
    assert not {"case", "error_ratio"} & set(bench)
    for case in bench.get("cases") or [{}]:
        line = {**bench, **case}
        assert isinstance(line["ours"], int | float)
        beside = [isinstance(line.get(name), int | float) for name in ("peer", "ratio")]
        assert all(beside) or (len(bench.get("cases", [])) > 0 and not any(beside))  # some cases have no peer
        assert all(isinstance(line[name], str) for name in ("unit", "peer_name"))
