"""Where does a result come from? Command, revision, versions, hardware, time and memory of a run."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from genrec.metrics.memory import peak_memory_gib
from genrec.run.arguments import is_secret

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "faiss-cpu", "numpy", "polars")
FIGURES = (":(exclude)results", ":(exclude)RESULTS.md", ":(exclude)README.md")
_JSON_PAIR = re.compile(r'"([^"]+)"(\s*:\s*)"[^"]*"')


def git_revision(folder: Path | None = None) -> str:
    """Short revision of the checkout this package is run from; '+changes' when what runs was edited.

    Figures of an earlier run (results/, RESULTS.md, README.md) are not what runs.

    Returns:
        e.g. '1a2b3c4d5e' or '1a2b3c4d5e+changes'; 'unknown' outside a checkout.
    """
    folder = folder or Path(__file__).resolve().parents[2]
    try:
        head = _git(folder, "rev-parse", "--short=10", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".", *FIGURES)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head + ("+changes" if changed else "")


def _git(folder: Path, *args: str) -> str:
    """Output of one git command."""
    done = subprocess.run(["git", "-C", str(folder), *args], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def library_versions() -> dict[str, str]:
    """Installed versions of the libraries that a result depends on."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def hardware() -> str:
    """One line: processor, cores, memory, accelerators."""
    import psutil

    parts = [_processor(), f"{os.cpu_count()} cores", f"{psutil.virtual_memory().total / 2**30:.0f} GiB"]
    if "torch" in sys.modules:
        import torch

        parts += [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ", ".join(parts)


def _processor() -> str:
    """Model name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def program() -> str:
    """The script that runs, relative to the working folder."""
    return os.path.relpath(sys.argv[0]) if os.path.isabs(sys.argv[0]) else sys.argv[0]


def command_line() -> str:
    """The command as a reader could type it again, the interpreter's path and credentials left out."""
    return " ".join([program(), *_without_secrets(sys.argv[1:])])


def _without_secrets(words: Sequence[str]) -> list[str]:
    """Write `***` for the value of every flag or JSON key that may hold a credential (`--hub_token x`)."""
    kept, hide = [], False
    for word in words:
        name, equals, _ = word.partition("=")
        secret = word.startswith("--") and is_secret(name.lstrip("-"))
        kept.append("***" if hide else f"{name}=***" if secret and equals else _JSON_PAIR.sub(_masked, word))
        hide = secret and not equals
    return kept


def _masked(pair: re.Match[str]) -> str:
    """`"key": "***"` when the key may hold a credential."""
    return f'"{pair[1]}"{pair[2]}"***"' if is_secret(pair[1]) else pair[0]


def provenance(**extra: Any) -> dict[str, Any]:
    """Everything a report must carry about the run.

    Args:
        extra: further facts, e.g. `seed=0`.

    Returns:
        A flat dict of JSON values.
    """
    return {
        "command": command_line(),
        "revision": git_revision(),
        "versions": library_versions(),
        "hardware": hardware(),
        "peak_memory_gib": round(peak_memory_gib(), 3),
        **extra,
    }
