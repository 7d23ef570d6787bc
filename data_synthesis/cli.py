"""What can be typed? `python -m data_synthesis <command> ...`, one sub-parser per command."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from data_synthesis import help_texts as say
from data_synthesis.config import CotConfig, EngineConfig
from data_synthesis.core.asking import JobConfig
from data_synthesis.core.budget import CapReached
from data_synthesis.core.runner import Unavailable
from data_synthesis.engines import EngineError
from data_synthesis.filters import FilterOptions
from data_synthesis.job import NothingAccepted
from data_synthesis.options import add_settings, expand
from data_synthesis.prompts.wording import COMMANDS
from data_synthesis.ray_job import ShardsFailed
from data_synthesis.sharding import ShardConfig
from data_synthesis.tasks.texts import TextConfig

logger = logging.getLogger(__name__)
WRONG_INPUT, CAP, UNAVAILABLE, NOTHING, INTERRUPTED = 2, 3, 4, 5, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: Command-line words; those of the process by default.

    Returns:
        Exit code: 0 done, 2 wrong input (as argparse), 3 a cap was reached, 4 the engine or the disk failed (3 and
        4: the same command continues), 5 nothing was accepted, 130 interrupted (finished work is kept).
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for library in ("httpx", "httpx2"):  # they log a line per request
        logging.getLogger(library).setLevel(logging.WARNING)
    try:
        options = build_parser().parse_args(expand(sys.argv[1:] if arguments is None else arguments))
    except ValueError as error:
        return _failed(WRONG_INPUT, f"error: {error}")
    return run_parsed(options)


def run_parsed(options: argparse.Namespace) -> int:
    """Runs a parsed command; returns the exit code and logs what went wrong."""
    try:
        return int(options.run(options))
    except NothingAccepted as error:
        return _failed(NOTHING, f"error: {error}")
    except (ValueError, FileNotFoundError) as error:
        return _failed(WRONG_INPUT, f"error: {error}")
    except CapReached as error:
        return _failed(CAP, f"stopped: {error}")
    except (Unavailable, EngineError, ShardsFailed, OSError) as error:
        return _failed(UNAVAILABLE, f"stopped: {error}; finished answers are kept, the same command continues")
    except KeyboardInterrupt:
        return _failed(INTERRUPTED, "interrupted: finished answers are kept, the same command continues")


def build_parser() -> argparse.ArgumentParser:
    """The parser with all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m data_synthesis", description=say.PROGRAM, epilog=say.EXIT_CODES, allow_abbrev=False
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for command in COMMANDS:
        _add_writer(_add(commands, command, run_write), command)
    estimate = _add(commands, "estimate", run_estimate)
    estimate.add_argument("what", choices=(*COMMANDS, "all"), help="the command whose cost is estimated, or all")
    _add_writer(estimate, "estimate", out=False)
    _add_readers(commands)
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
) -> argparse.ArgumentParser:
    """One command with its help."""
    summary, description, epilog = say.HELP[name]
    parser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        required=True,
        help="dataset by name (toy, movielens_100k, ...) or path: whatever genrec.data.load_dataset reads, "
        "such as the data folder of a run",
    )


def _add_writer(parser: argparse.ArgumentParser, command: str, out: bool = True) -> None:
    """Flags of a command that asks an engine."""
    _add_data(parser)
    if out:
        parser.add_argument("--out", required=True, type=Path, help="file to write: .jsonl or .parquet")
        parser.add_argument("--overwrite", action="store_true", help="replace files that other settings or data made")
        parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--config", metavar="FILE", help="YAML file with any of these settings; the command line wins")
    if command in ("cot", "estimate"):
        add_settings(parser, CotConfig, "chains")
    if command != "cot":
        known = {action.dest for action in parser._actions}
        add_settings(parser, TextConfig, "texts", known)
    add_settings(parser, EngineConfig, "engine")
    add_settings(parser, JobConfig, "limits")
    add_settings(parser, FilterOptions, "filters")
    if out:
        add_settings(parser, ShardConfig, "parts")


def _add_readers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Commands that read finished files."""
    check = _add(commands, "check", run_check)
    check.add_argument("file", type=Path, help="chains or texts, .jsonl or .parquet")
    check.add_argument("--config", metavar="FILE", help="YAML file with any of these settings")
    _add_data(check)
    add_settings(check, FilterOptions, "filters")
    show = _add(commands, "show", run_show)
    show.add_argument("count", type=int, help="rows")
    show.add_argument("file", type=Path, help="chains or texts, .jsonl or .parquet")
    push = _add(commands, "push", run_push)
    push.add_argument("file", type=Path, help="a finished file, with its .stats.json beside it")
    push.add_argument("--to", required=True, help="a folder (with a slash or a dot in front), or hub:<owner>/<name>")
    push.add_argument("--public", action="store_true", help="on the hub: visible to everybody")


def run_write(options: argparse.Namespace) -> int:
    """A command that writes records."""
    from data_synthesis.commands import write

    return write(options)


def run_estimate(options: argparse.Namespace) -> int:
    """Tokens, requests, time and money beforehand."""
    from data_synthesis.forecast import estimate

    return estimate(options)


def run_check(options: argparse.Namespace) -> int:
    """Every filter over a file."""
    from data_synthesis.reading import check

    return check(options)


def run_show(options: argparse.Namespace) -> int:
    """A few rows, readable."""
    from data_synthesis.reading import show

    return show(options)


def run_push(options: argparse.Namespace) -> int:
    """A dataset with its card."""
    from data_synthesis.push import push

    return push(options)


def _failed(code: int, message: str) -> int:
    """Says why the command ends."""
    logger.error("%s", message)
    return code
