"""Does a session fail when a marked suite ran nothing although its extra is installed?"""

from __future__ import annotations

from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"
PYPROJECT = """
[project]
name = "example"
version = "0"
[project.optional-dependencies]
{extras}
[tool.pytest.ini_options]
markers = ["vllm: ...", "server: ...", "gpu: ..."]
"""
MARKED = "import pytest\n\n@pytest.mark.{mark}\ndef test_marked():\n    assert True\n"
PLAIN = "def test_plain():\n    assert True\n"
INSTALLED = 'vllm = ["pytest>=8"]'
ABSENT = 'vllm = ["no-such-distribution==1"]'


@pytest.fixture(autouse=True)
def lean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Load only the plugins that a test names: the inner sessions then start in a tenth of the time."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


def run(pytester: pytest.Pytester, extras: str, source: str, *arguments: str) -> pytest.RunResult:
    """Run a small project of one test file under a copy of our conftest."""
    lines = CONFTEST.read_text(encoding="utf-8").replace('pytest_plugins = ["pytester"]\n', "")
    pytester.makeconftest(lines)
    pytester.makepyprojecttoml(PYPROJECT.format(extras=extras))
    pytester.makepyfile(source)
    start = pytester.runpytest_subprocess if "-n" in arguments else pytester.runpytest_inprocess
    return start("-p", "no:cacheprovider", *arguments)


def test_an_installed_extra_without_a_test_fails_the_session(pytester: pytest.Pytester) -> None:
    result = run(pytester, INSTALLED, PLAIN, "--require-suites")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["ERROR: the extra 'vllm' is installed, yet no test marked 'vllm' ran"])


def test_a_deselected_suite_counts_as_not_run(pytester: pytest.Pytester) -> None:
    result = run(pytester, INSTALLED, PLAIN + MARKED.format(mark="vllm"), "--require-suites", "-m", "not vllm")
    assert result.ret == 1


def test_a_suite_whose_tests_skip_themselves_counts_as_not_run(pytester: pytest.Pytester) -> None:
    skipping = "import pytest\n\n@pytest.mark.vllm\ndef test_marked():\n    pytest.skip('later')\n"
    assert run(pytester, INSTALLED, skipping, "--require-suites").ret == 1


@pytest.mark.parametrize("workers", [[], ["-p", "xdist", "-n", "2"]])
def test_an_executed_suite_satisfies_the_check_under_xdist_too(pytester: pytest.Pytester, workers: list[str]) -> None:
    result = run(pytester, INSTALLED, MARKED.format(mark="vllm"), "--require-suites", *workers)
    assert result.ret == 0


def test_without_the_extra_the_suite_is_skipped_and_nothing_is_due(pytester: pytest.Pytester) -> None:
    result = run(pytester, ABSENT, PLAIN + MARKED.format(mark="vllm"), "--require-suites", "-rs")
    assert result.ret == 0
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*the extra 'vllm' is not installed*"])


def test_a_suite_without_a_declared_extra_is_not_due(pytester: pytest.Pytester) -> None:
    assert run(pytester, "", PLAIN, "--require-suites").ret == 0


def test_a_partial_run_by_hand_is_left_alone(pytester: pytest.Pytester) -> None:
    assert run(pytester, INSTALLED, PLAIN).ret == 0
