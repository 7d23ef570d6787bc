"""How do many machines share a job? Ray Data hands out the numbers of its shards; each machine runs the same command.

Ray only says who does which shard. A shard is an ordinary job with its own journal, so a machine that dies costs
nothing but the answers under way: type the command again, and finished shards return at once.
"""

import argparse
import logging
from typing import Any

logger = logging.getLogger(__name__)


class ShardsFailed(Exception):
    """Some shards did not finish; the same command continues."""


def run_shards(options: argparse.Namespace, shards: int, address: str) -> None:
    """Runs every shard of a command on Ray's workers.

    Args:
        options: The parsed command.
        shards: How many shards.
        address: "local" for a Ray on this machine, else an address or "auto".

    Raises:
        ValueError: Ray is not installed.
        ShardsFailed: A shard ended with another exit code than 0.
    """
    try:
        import ray
    except ImportError:
        raise ValueError("ray= needs the extra `ray`: pip install 'gream[ray]'") from None
    owned = not ray.is_initialized()
    if owned:
        ray.init(**({"address": address} if address != "local" else {"include_dashboard": False}), log_to_driver=False)
    try:
        rows = ray.data.range(shards, override_num_blocks=shards).map(_worker(options)).take_all()
    finally:
        if owned:
            ray.shutdown()
    codes = {int(row["shard"]): int(row["code"]) for row in rows}
    logger.info("shards by exit code: %s", codes)
    if failed := {shard: code for shard, code in sorted(codes.items()) if code != 0}:
        raise ShardsFailed(f"exit codes of unfinished shards: {failed}")


def _worker(options: argparse.Namespace) -> Any:
    """What a worker does with one row of Ray's: the command with the row's number."""

    values = {**vars(options), "ray": "", "quiet": True}

    def work(row: dict[str, Any]) -> dict[str, Any]:
        from data_synthesis.cli import run_parsed

        shard = int(row["id"])
        return {"shard": shard, "code": run_parsed(argparse.Namespace(**{**values, "shard": shard}))}

    return work
