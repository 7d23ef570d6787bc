"""How do two processes keep out of one stage?"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def stage_lock(run_dir: Path, stage: str, is_main: bool) -> Iterator[None]:
    """Hold an exclusive lock that the system releases even after kill -9.

    Args:
        run_dir: the run folder; the lock lies beside the stage's folder, which may be renamed meanwhile.
        stage: name of the stage.
        is_main: only the main process locks; its workers belong to it.

    Raises:
        RuntimeError: when another process holds the lock.
    """
    if not is_main:
        yield
        return
    run_dir.mkdir(parents=True, exist_ok=True)
    with open(run_dir / f".{stage}.lock", "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RuntimeError(
                f"another process is working in '{run_dir / stage}': wait for it, or use another --run_dir."
            ) from None
        yield
