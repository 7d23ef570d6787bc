"""How many processes work on a stage, and which of them speaks?"""

from __future__ import annotations

import logging
import os
from pathlib import Path


def is_main_process() -> bool:
    """True on the process that writes files and logs counts."""
    return int(os.environ.get("RANK", "0")) == 0


def check_processes() -> int:
    """Number of processes, after making sure that they see each other.

    Returns:
        The world size.

    Raises:
        RuntimeError: when the launcher started several processes that run isolated from each other, each believing
            to be alone (accelerate's MULTI_GPU + use_cpu YAML without ACCELERATE_USE_CPU does that).
    """
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if launched == 1:
        return 1
    from accelerate import PartialState

    seen = PartialState().num_processes
    if seen != launched:
        raise RuntimeError(
            f"the launcher started {launched} processes but they do not see each other ({seen} in the group). "
            "On CPU set ACCELERATE_USE_CPU=true beside --config_file accelerate_configs/cpu_2proc.yaml."
        )
    return seen


def wait_for_everyone(world: int) -> None:
    """Let every process get here before any goes on."""
    if world > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()


def leave_processes(world: int) -> None:
    """Close the process group, once this process has nothing more to say to the others.

    A process that ends with its group open leaves gloo's threads and the interpreter to race at exit, and one that
    loses is aborted: the launcher then reports a stage that was done as failed.
    """
    if world > 1:
        from accelerate import PartialState

        PartialState().destroy_process_group()


def configure_logging() -> None:
    """Log our counts once, on the main process; workers and other libraries only warn."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s", datefmt="%H:%M:%S")
    for name in first_party_packages():
        logging.getLogger(name).setLevel(logging.INFO if is_main_process() else logging.WARNING)


def first_party_packages() -> list[str]:
    """Packages of the checkout that genrec lies in; genrec alone when it is installed among other libraries."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "pyproject.toml").is_file():
        return ["genrec"]
    return sorted(path.parent.name for path in root.glob("*/__init__.py"))
