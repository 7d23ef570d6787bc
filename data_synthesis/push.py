"""How do others get a finished file? As a `datasets` dataset with a data card, in a folder or on the hub."""

import argparse
import json
import logging
import os
from pathlib import Path
from typing import Any

import yaml

from data_synthesis.job import statistics_path
from data_synthesis.records import Record, read_records
from genrec.data.files import read_json, sha256_of, write_whole
from genrec.data.texts import write_rows

logger = logging.getLogger(__name__)
HUB = "hub:"
DATA_FILE = "data/train-00000-of-00001.parquet"


def push(options: argparse.Namespace) -> int:
    """Writes or uploads a dataset.

    Returns:
        Exit code 0.
    """
    if options.to.startswith(HUB):
        place = upload(options.file, options.to.removeprefix(HUB), private=not options.public)
    else:
        place = str(write_dataset(options.file, Path(options.to)))
    logger.info("%s -> %s", options.file, place)
    return 0


def write_dataset(file: Path, folder: Path) -> Path:
    """Writes a folder that `datasets.load_dataset(folder)` reads: a Parquet file and a card.

    Args:
        file: A finished file with its statistics beside it.
        folder: Destination.

    Returns:
        The folder.

    Raises:
        ValueError: The file has no statistics, or was edited after they were written.
    """
    statistics = _statistics(file)
    records = read_records(file)
    write_rows(folder / DATA_FILE, records)
    write_whole(folder / "README.md", data_card(statistics, records))
    return folder


def upload(file: Path, repository: str, *, private: bool) -> str:
    """Creates a dataset repository on the hub, or a new revision of it; the token is huggingface_hub's own business.

    Args:
        file: A finished file with its statistics beside it.
        repository: `owner/name`.
        private: Whether only the owner sees it.

    Returns:
        Address of the repository.
    """
    import tempfile

    from huggingface_hub import HfApi

    api = HfApi()
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(file, Path(folder))
        address = api.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, repo_type="dataset", folder_path=os.fspath(folder))
    return str(address)


def data_card(statistics: dict[str, Any], records: list[Record]) -> str:
    """The card: a header that the hub reads, then where the rows come from.

    Args:
        statistics: Content of the statistics file.
        records: The rows.
    """
    language = statistics["filters"].get("language") or None
    header = {"language": [language] if language else None, "tags": ["recommendation", "synthetic", "gream"]}
    head = yaml.safe_dump({k: v for k, v in header.items() if v}, sort_keys=False)
    facts = {
        "command": statistics["command"],
        "model": statistics["teacher"],
        "engine": statistics["engine"],
        "settings": statistics["config"],
        "filters": statistics["filters"],
        "prompts (SHA-256)": statistics["prompts_sha256"] or "none: written by rules",
        "source data": statistics["dataset"],
        "tokens": statistics["tokens"],
        "revision": statistics["provenance"]["revision"],
    }
    rows = [f"| {name} | `{json.dumps(value, ensure_ascii=False)}` |" for name, value in facts.items()]
    reasons = [f"| {reason} | {count} |" for reason, count in statistics["rejected_attempts"].items()] or [
        "| none | 0 |"
    ]
    dropped = statistics["events"]["dropped"]
    return "\n".join(
        [
            f"---\n{head}---",
            f"# {statistics['command']}: {len(records):,} rows\n",
            "Written by a language model or by rules from training interactions only, then filtered.",
            "The texts are generated: they may be wrong about items and say nothing about real persons.\n",
            "| fact | value |\n|---|---|",
            *rows,
            f"\nRejected answers by reason ({dropped:,} rows dropped):\n",
            "| reason | answers |\n|---|---|",
            *reasons,
            "",
        ]
    )


def _statistics(file: Path) -> dict[str, Any]:
    """The statistics beside a file, if they belong to it."""
    path = statistics_path(file)
    if not path.is_file():
        raise ValueError(f"{path} is missing: only a finished job can be pushed; run the command that writes {file}")
    found = dict(read_json(path))
    if found["sha256"] != sha256_of(file):
        raise ValueError(f"{file} was edited after {path} was written; write it again")
    return found
