"""RESULTS.md and the README table say what results/*.json holds, nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from report_toys import direct, metrics

from genrec.metrics.report.results import BEGIN, END, between_markers, main, render_results, rendered

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "gream_films.json").write_text(json.dumps(metrics()))
    (tmp_path / "README.md").write_text(f"# Project\n{BEGIN}\nold\n{END}\nend\n")
    return tmp_path


def bench(root, name, **content):
    (root / "results" / f"bench_{name}.json").write_text(json.dumps(content))


def test_the_committed_documents_equal_the_committed_results():
    if not (ROOT / "RESULTS.md").is_file() and not list((ROOT / "results").glob("*.json")):
        pytest.skip("nothing has been measured and committed in this checkout")
    for path, text in rendered(ROOT).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is out of date: run `make results`"


def test_both_documents_hold_the_figures_of_the_run(root):
    assert main(["--root", str(root)]) == 0
    results, readme = (root / name for name in ("RESULTS.md", "README.md"))
    assert "| GREAM srpo | 0.1000 |" in results.read_text()
    assert "revision 1a2b3c4d5e; seeds 0; hardware 2 cores" in results.read_text()
    assert "| gream_films | GREAM srpo | direct | 0.1000 | 0.0500 |" in readme.read_text()
    assert readme.read_text().startswith(f"# Project\n{BEGIN}\n| setting |")
    assert readme.read_text().endswith(f"{END}\nend\n")


def test_check_tells_a_changed_number_from_an_equal_one(root, capsys):
    assert main(["--root", str(root), "--check"]) == 1
    assert "README.md" in capsys.readouterr().err
    main(["--root", str(root)])
    assert main(["--root", str(root), "--check"]) == 0
    text = (root / "RESULTS.md").read_text()
    (root / "RESULTS.md").write_text(text.replace("0.1000", "0.2000"))
    assert main(["--root", str(root), "--check"]) == 1


def test_a_warning_of_a_run_stands_in_results_too(root):
    run = metrics(rows=[direct("Popularity", "", 0.5), direct("GREAM", "srpo", 0.1)])
    (root / "results" / "gream_films.json").write_text(json.dumps(run))
    assert "> **Warning.** GREAM srpo does not beat Popularity" in render_results(root / "results")[0]


def test_benchmarks_are_a_second_table(root):
    beam = {"ours": 0.37, "peer": 2.0, "ratio": 5.405, "unit": "s", "peer_name": "generate", "machine": "2 cores"}
    beam |= {"what": "seconds per batch", "setting": {"batch": 32}, "target": 0.5, "revision": "abc"}
    bench(root, "beam", command="python benchmarks/beam.py", **beam)
    first = {"case": "H=4", "ours": 10, "peer": 20, "ratio": 2.0}
    second = {"case": "H=8", "ours": 30, "peer": 30, "ratio": 1.0}
    bench(root, "kmeans", machine="2 cores", cases=[first, second])
    text = render_results(root / "results")[0]
    assert "| beam | generate | s | 0.37 | 2 | 5.41 |" in text
    assert "| kmeans, H=8 |  |  | 30 | 30 | 1 |" in text
    assert "* beam: seconds per batch; setting batch 32; target 0.5. Measured with: command `python" in text
    assert "revision abc; machine 2 cores." in text
    assert text.index("GREAM on films") < text.index("## Speed")


def test_a_benchmark_may_measure_several_things_per_side(root):
    sides = {"ours": {"seconds": 1.0, "error": 0.25}, "peer": {"seconds": 4.0, "error": 0.26}}
    bench(root, "rq", case={"levels": 4}, seconds={"all": 9.0}, ratio=4.0, error_ratio=0.96, **sides)
    text = render_results(root / "results")[0]
    assert "| rq |  |  | seconds 1, error 0.25 | seconds 4, error 0.26 | 4 |" in text
    assert "* rq: case levels 4; seconds all 9; error\\_ratio 0.96." in text


def test_without_results_the_documents_say_so(tmp_path):
    document, table = render_results(tmp_path / "results")
    assert "No run has been committed" in document
    assert "No run has been committed" in table


def test_a_damaged_result_names_its_file(root):
    (root / "results" / "gream_bad.json").write_text(json.dumps({"rows": []}))
    with pytest.raises(ValueError, match=r"results/gream_bad\.json.*lacks dataset"):
        render_results(root / "results")


def test_a_readme_without_markers_is_an_error():
    with pytest.raises(ValueError, match="results:begin"):
        between_markers("# Project\n", "table")
    with pytest.raises(ValueError, match="in this order"):
        between_markers(f"{END}\n{BEGIN}", "table")


def test_what_a_benchmark_says_at_length_stays_in_its_file(root):
    bench(root, "load", what="load", machine="2 cores", setting={"seconds": 10}, rates=[{"rate": n} for n in range(99)])
    text = render_results(root / "results")[0]
    assert "setting seconds 10" in text
    assert "rates see results/bench\\_load.json" in text
    assert "rate 98" not in text
