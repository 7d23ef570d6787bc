"""Reject tables of synthesis runs in RESULTS.md."""

from genrec.metrics.report.synthesis import synthesis_section

CONTENT = {
    "what": "a model writes",
    "jobs": [
        {
            "command": "cot",
            "model": "m_1",
            "asked": 100,
            "accepted": 3,
            "rejected": {"no_anchor": 40, "leak_title": 57},
            "prompt_tokens": 1000,
            "answer_tokens": 2000,
            "seconds": 600,
        }
    ],
    "trained": {"chains": 3},
    "machine": "a machine",
}


def test_jobs_and_reasons_are_listed_the_commonest_first() -> None:
    lines = synthesis_section({"synth_x": CONTENT}).splitlines()
    assert "| cot | m\\_1 | 100 | 3 | 1000 | 2000 | 10 min |" in lines
    at = lines.index("| cot | leak\\_title | 57 |")
    assert lines[at + 1] == "| cot | no\\_anchor | 40 |"
    assert any("trained on the accepted rows" in line and "chains" in line for line in lines)
    assert any("a machine" in line for line in lines)
