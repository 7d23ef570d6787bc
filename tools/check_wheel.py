"""Does the built wheel work where the checkout is out of sight? Installs it and tries it there.

The second environment holds nothing but the wheel; a .pth file lends it the libraries of the first, so the
check takes seconds. `sage` is also SageMath's import name: every package must come from the new environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

PACKAGES = ("genrec", "gream", "data_synthesis", "sage", "llmrec")
PROBE = f"""
import importlib, pathlib, sys
for name in {PACKAGES}:
    found = pathlib.Path(importlib.import_module(name).__file__).resolve()
    assert found.is_relative_to(pathlib.Path(sys.prefix).resolve()), f"{{name}} comes from {{found}}"
    assert (found.parent / "py.typed").exists(), f"{{name}} has no py.typed in the wheel"
from genrec import versions
assert not versions.check()
"""


def run(*command: str, cwd: Path) -> str:
    """Run a command away from the checkout and return what it printed.

    Raises:
        SystemExit: It failed; the message holds its output.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    """Install the newest wheel of a folder into a fresh environment and try packages and command line."""
    wheel = max(Path(sys.argv[1]).resolve().glob("gream-*.whl"), key=lambda path: path.stat().st_mtime)
    libraries = sysconfig.get_paths()["purelib"]
    with tempfile.TemporaryDirectory() as name:
        outside = Path(name)
        run(sys.executable, "-m", "venv", "--without-pip", str(outside / "venv"), cwd=outside)
        python = str(outside / "venv" / "bin" / "python")
        site = run(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])", cwd=outside).strip()
        run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", str(wheel), cwd=outside)
        (Path(site) / "lent.pth").write_text(libraries + "\n", encoding="utf-8")
        run(python, "-c", PROBE, cwd=outside)
        usage = run(str(outside / "venv" / "bin" / "gream"), "--help", cwd=outside)
    if "recommend" not in usage:
        raise SystemExit(f"`gream --help` does not mention `recommend`:\n{usage}")
    sys.stdout.write(f"{wheel.name} installs and imports outside the checkout\n")


if __name__ == "__main__":
    main()
