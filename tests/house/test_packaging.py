"""Is what we ship what we say: packages, types, light imports, licence?"""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("genrec", "gream", "llmrec", "sage", "data_synthesis")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HEAVY = ("torch", "transformers", "trl", "faiss", "sentence_transformers", "matplotlib", "datasets")


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_is_ours_and_typed(name: str) -> None:
    """`sage` is also the import name of SageMath."""
    folder = Path(str(importlib.import_module(name).__file__)).parent
    assert folder == ROOT / name
    assert (folder / "py.typed").exists()


@pytest.mark.parametrize("name", PACKAGES)
def test_importing_a_package_loads_no_heavy_library(name: str) -> None:
    code = f"import sys, {name}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_every_code_folder_of_a_package_has_an_init() -> None:
    """setuptools leaves a folder without one out of the wheel, and the checkout would not notice."""
    modules = [path for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    assert [p for p in modules if not (p.parent / "__init__.py").exists()] == []


def test_the_tests_are_not_packages() -> None:
    """With an `__init__.py`, tests/gream would shadow the package gream."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_each_file_name_of_a_test_is_used_once() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert {name for name in names if names.count(name) > 1} == set()


def test_version_and_licence_agree_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    version = PROJECT["project"]["version"]
    assert citation["version"] == version
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert citation["license"] == PROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
