"""report.md and report.html: what stands first, what is escaped, what the folder holds."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
from report_toys import direct, figures, metrics

from genrec.metrics.report import collect_run, write_report
from genrec.metrics.report.text import in_markdown, visible

HOSTILE = "<script>alert(1)</script>\"'&{{ 7*7 }}\u202e|\x00`"


class Reader(HTMLParser):
    """Collects tags, visible text and addresses."""

    VOID = frozenset({"meta", "br", "link", "img"})

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.links, self.text = [], [], [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for key, value in attrs if key in ("src", "href", "xlink:href", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes the wrong tag"

    def handle_data(self, data):
        self.text += data


def page(folder, run=None, drawn=None):
    paths = write_report(folder, run or metrics(), figures() if drawn is None else drawn)
    reader = Reader()
    reader.feed(paths["report.html"].read_text(encoding="utf-8"))
    assert reader.open == []
    return reader, paths["report.md"].read_text(encoding="utf-8")


def test_the_folder_holds_three_files_and_the_metrics_are_the_ones_given(tmp_path):
    paths = write_report(tmp_path, metrics(), figures())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.json", "report.html", "report.md"]
    assert json.loads(paths["metrics.json"].read_text()) == metrics()


def test_two_reports_of_a_run_are_the_same_bytes(tmp_path):
    first, second = (write_report(tmp_path / name, metrics(), figures()) for name in "ab")
    assert all(first[name].read_bytes() == second[name].read_bytes() for name in first)


def test_the_page_needs_no_network_and_runs_no_script(tmp_path):
    reader, _ = page(tmp_path)
    assert not {"script", "link", "iframe", "img"} & set(reader.tags)
    assert all(link.startswith("#") for link in reader.links)
    assert reader.tags.count("svg") >= 5


def test_the_page_shows_results_examples_training_index_and_origin(tmp_path):
    reader, _ = page(tmp_path)
    for words in ("GREAM on films", "GREAM srpo beats Popularity", "Aliens", "wants a sequel", "srpo: reward",
                  "Curriculum mix", "8.3 %", "1a2b3c4d5e", "make demo", "[0.0100, 0.0500]"):  # fmt: skip
        assert words in reader.text


def test_a_report_without_figures_is_still_a_report(tmp_path):
    reader, markdown = page(tmp_path, drawn={})
    assert "GREAM srpo" in reader.text
    assert "## Direct mode" in markdown
    assert "## Examples" not in markdown


def test_markdown_opens_with_the_warning_when_a_stage_did_not_gain(tmp_path):
    stages = [{"stage": "srpo", "metric": "Pass@1", "before": 0.03, "after": 0.03}]
    reader, markdown = page(tmp_path, metrics(stages=stages))
    assert markdown.startswith("> **Warning.** Stage 'srpo' did not end better than it began")
    assert reader.text.index("did not end better") < reader.text.index("Results")
    assert page(tmp_path)[1].startswith("# GREAM on films")


def test_untrusted_text_is_shown_and_never_obeyed(tmp_path):
    drawn = figures()
    drawn["examples"][0] |= {
        "user": HOSTILE,
        "history": [HOSTILE],
        "target": HOSTILE,
        "stages": {"1": HOSTILE},
    }
    drawn["examples"][0]["reasoned"][0]["title"] = HOSTILE
    run = metrics(title=HOSTILE, rows=[*metrics()["rows"], direct(HOSTILE, HOSTILE, 0.01)])
    run["dataset"]["name"] = HOSTILE
    reader, markdown = page(tmp_path, run, drawn)
    assert "script" not in reader.tags
    assert reader.text.count("<script>alert(1)</script>") >= 6
    assert "{{ 7*7 }}" in reader.text
    assert "<script>" not in markdown
    for text in (reader.text, markdown):
        assert "\u202e" not in text
        assert "\x00" not in text


def test_text_for_markdown_stays_on_one_line_and_keeps_its_marks():
    assert in_markdown("a|b\n*c* <i>") == "a\\|b \\*c\\* \\<i\\>"


def test_control_and_direction_characters_are_made_visible():
    assert visible("a\u202eb\x07c\nd") == "a\ufffdb\ufffdc\nd"
    assert visible(None) == ""


def write_stage(folder, **facts):
    folder.mkdir(parents=True)
    state = {"facts": facts, "seconds": 12.5, "provenance": {"peak_memory_gib": 1.5}}
    (folder / "stage.json").write_text(json.dumps(state))


def test_a_run_folder_is_collected(tmp_path):
    write_stage(tmp_path / "align", metric="NDCG@10", before=0.1, after=0.2, steps=5)
    (tmp_path / "align" / "log.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    (tmp_path / "align" / "validation.json").write_text('[{"step": 0, "NDCG@10": 0.1}]')
    (tmp_path / "index").mkdir()
    (tmp_path / "index" / "health.json").write_text('{"hash": "h"}')
    stages, drawn = collect_run(tmp_path)
    assert stages == [
        {"stage": "align", "metric": "NDCG@10", "before": 0.1, "after": 0.2, "steps": 5, "seconds": 12.5,
         "peak_memory_gib": 1.5}
    ]  # fmt: skip
    assert drawn["logs"] == {"align": [{"step": 1, "loss": 2.0}]}
    assert drawn["index_health"] == {"hash": "h"}


def test_a_damaged_log_names_its_line(tmp_path):
    write_stage(tmp_path / "align")
    (tmp_path / "align" / "log.jsonl").write_text('{"step": 1}\nnot json\n{"step": 2}\n')
    with pytest.raises(ValueError, match=r"log\.jsonl, line 2"):
        collect_run(tmp_path)


def test_an_empty_run_folder_has_no_stages(tmp_path):
    assert collect_run(tmp_path) == ([], {"logs": {}, "validation": {}})
