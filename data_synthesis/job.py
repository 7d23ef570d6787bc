"""Which files belong to a job, is it finished, and what identifies it?"""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data_synthesis.config import CotConfig
from data_synthesis.examples import Example
from data_synthesis.facts import ItemFacts
from genrec.data.chains import Chain, write_chains
from genrec.data.files import read_json, sha256_of, write_json

RULES = 1  # raise it whenever the same settings give other chains, so that no journal mixes two versions
logger = logging.getLogger(__name__)


def partial_path(out: Path) -> Path:
    """The journal of an unfinished job."""
    return out.with_name(out.name + ".partial")


def statistics_path(out: Path) -> Path:
    """The statistics file of a finished job."""
    return out.with_name(out.name + ".stats.json")


def publish(out: Path, chains: Sequence[Chain], statistics: dict[str, Any]) -> None:
    """Writes both files whole, the statistics last: they carry the fingerprint that says "finished"."""
    write_chains(out, chains)
    write_json(statistics_path(out), {**statistics, "sha256": sha256_of(out)})


def finished(out: Path, fingerprint: str, overwrite: bool) -> dict[str, Any] | None:
    """The statistics of an equal finished job, or None when there is work to do."""
    if not out.exists() or partial_path(out).exists():
        return None
    known = read_json(statistics_path(out)) if statistics_path(out).exists() else {}
    if known.get("fingerprint") == fingerprint and known.get("sha256") == sha256_of(out):
        logger.info("%s is complete already (%d chains)", out, known["chains"])
        return dict(known)
    if overwrite:
        return None
    raise ValueError(
        f"{out} exists and was made with other settings or other data (or was edited); "
        "choose another --out, or pass --overwrite to replace it"
    )


def fingerprint_of(facts: ItemFacts, examples: Sequence[Example], config: CotConfig, teacher: str) -> str:
    """Hash of everything the chains depend on."""
    digest = hashlib.sha256(json.dumps([RULES, teacher, asdict(config)], sort_keys=True).encode())
    for item_id, title, found in zip(facts.item_ids, facts.names.titles, facts.attributes, strict=True):
        digest.update(repr((item_id, title, [(a.kind, a.value) for a in found.values()])).encode())
    for example in examples:
        digest.update(repr((example.user_id, example.position, example.history, example.target)).encode())
    return digest.hexdigest()
