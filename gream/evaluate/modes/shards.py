"""How do several processes share one evaluation? Every process asks its share of the users; the first one merges.

No process talks to another: each keeps a journal of its own, so a share that was finished is not asked again.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genrec.data.files import write_whole
from genrec.data.split import Targets
from gream.evaluate.modes.journal import Record, read_journal

logger = logging.getLogger(__name__)
LOOK_SECONDS = 1.0


def process_of() -> tuple[int, int]:
    """Number of this process and of all, as `accelerate launch` sets them."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def share_of(targets: Targets, rank: int, world: int) -> Targets:
    """Every `world`-th user, beginning with the `rank`-th."""
    rows = np.arange(rank, len(targets), world)
    return Targets(targets.users[rows], [targets.histories[row] for row in rows], targets.targets[rows])


def share_path(journal: Path, rank: int, world: int) -> Path:
    """Journal of one share."""
    return journal.with_name(f"{journal.stem}.{rank}-of-{world}{journal.suffix}")


def merged(
    journal: Path, settings: Mapping[str, Any], targets: Targets, world: int, alive: Callable[[], bool] = lambda: True
) -> list[Record]:
    """Wait for all shares and write one journal.

    Args:
        journal: The whole journal.
        settings: Of the evaluation; a share of other settings is not waited for.
        targets: All users.
        world: Number of processes.
        alive: Asked between looks; False ends the wait.

    Returns:
        One record per user in the order of `targets`.

    Raises:
        ValueError: A share was written with other settings, or the wait ended before all shares were whole.
    """
    parts = [share_path(journal, rank, world) for rank in range(world)]
    sizes = [len(share_of(targets, rank, world)) for rank in range(world)]
    while [_length(part, settings) for part in parts] != sizes:
        if not alive():
            raise ValueError(f"not all shares of '{journal.name}' were finished; start the same evaluation again")
        time.sleep(LOOK_SECONDS)
    found = {record["user"]: record for part in parts for record in read_journal(part)[1]}
    records = [found[int(user)] for user in targets.users]
    lines = [json.dumps({"settings": dict(settings)}), *(json.dumps(record) for record in records)]
    write_whole(journal, "\n".join(lines) + "\n")
    for part in parts:
        part.unlink()
    logger.info("%d shares merged into %s", world, journal)
    return records


def _length(part: Path, settings: Mapping[str, Any]) -> int:
    """Records of a share so far."""
    if not part.is_file():
        return 0
    found, records = read_journal(part)
    if found != dict(settings):
        raise ValueError(f"'{part}' was begun with other settings; move it away or use the same")
    return len(records)
