"""How does an evaluation of all users survive a kill? One line per user, appended chunk by chunk."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from genrec.data.files import read_jsonl, write_whole
from genrec.data.split import Targets
from gream.evaluate.modes.asking import Ask

Record = dict[str, Any]


def run_journal(
    path: Path, settings: Mapping[str, Any], targets: Targets, ask: Ask, chunk: int, progress: bool = True
) -> list[Record]:
    """Ask every user once.

    Args:
        path: JSON lines: settings first, then one record per user.
        settings: What decides the result; a journal of other settings is refused.
        targets: The users.
        ask: How a chunk of histories is asked.
        chunk: Users per chunk.
        progress: Show a bar.

    Returns:
        One record per user in the order of `targets`: user, target and the fields of `Reply`.

    Raises:
        ValueError: The journal was written with other settings.
    """
    done = _resume(path, dict(settings))
    with (
        path.open("a", encoding="utf-8") as journal,
        tqdm(total=len(targets), initial=len(done), desc=path.stem, unit="user", disable=not progress) as bar,
    ):
        for start in range(len(done), len(targets), chunk):
            rows = range(start, min(start + chunk, len(targets)))
            replies = ask([targets.histories[row] for row in rows], start)
            records = [
                {"user": int(targets.users[row]), "target": int(targets.targets[row]), **reply.to_json()}
                for row, reply in zip(rows, replies, strict=True)
            ]
            journal.write("".join(json.dumps(record) + "\n" for record in records))
            journal.flush()
            os.fsync(journal.fileno())
            done += records
            bar.update(len(records))
    return done


def read_journal(path: Path) -> tuple[Record, list[Record]]:
    """Settings and records of a journal.

    Raises:
        ValueError: The file is no journal.
    """
    lines = read_jsonl(path)
    if not lines or "settings" not in lines[0]:
        raise ValueError(f"'{path}' is no evaluation journal; gream_eval --mode writes one to eval_modes/")
    return lines[0]["settings"], lines[1:]


def _resume(path: Path, settings: Record) -> list[Record]:
    """Records of an earlier attempt; a torn last line is cut off."""
    if not path.is_file():
        write_whole(path, json.dumps({"settings": settings}) + "\n")
        return []
    found, records = read_journal(path)
    if found != settings:
        changed = sorted(key for key in {*found, *settings} if found.get(key) != settings.get(key))
        raise ValueError(f"'{path}' was begun with other settings ({', '.join(changed)}); move it away or use the same")
    lines = [json.dumps({"settings": settings}), *(json.dumps(record) for record in records)]
    write_whole(path, "\n".join(lines) + "\n")
    return records
