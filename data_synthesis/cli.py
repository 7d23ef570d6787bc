"""What can be typed? `python -m data_synthesis <command> ...`, one sub-parser per command."""

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from data_synthesis.config import CotConfig

_COT_HELP = """\
Writes five-stage reasoning chains: behaviour evidence, preferences, intent, recommendation with its reason,
and the denoised history. The teacher is a set of rules over titles, categories, brands, genres and years: no
model, no network, the same file for the same settings. It knows the next training item and must not name it
before stage 4: every chain is checked for that, for a reason anchored in the history, and for a wording that
is not a copy of another chain's with the names exchanged. Validation and test items are never read.
"""
_COT_EXAMPLES = """\
examples:
  python -m data_synthesis cot --data toy --out chains.jsonl --max_chains 200
  python -m data_synthesis cot --data movielens_100k --out runs/demo/chains/train.jsonl --per_user 4
  python -m data_synthesis cot --data runs/demo/data --out chains.jsonl --style full --seed 7

files:
  chains.jsonl              one chain per line (schema: genrec.data.chains.Chain), written whole at the end
  chains.jsonl.stats.json   counts by reject reason, words per stage, share of chains that differ once item
                            names are masked, provenance
  chains.jsonl.partial      finished chains of an unfinished run: type the same command again and it continues
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Args:
        arguments: Command-line words; those of the process by default.

    Returns:
        Exit code: 0 done, 2 wrong input (as argparse), 130 interrupted (finished work is kept).
    """
    options = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        return int(options.run(options))
    except (ValueError, FileNotFoundError) as error:
        logging.getLogger(__name__).error("error: %s", error)
        return 2
    except KeyboardInterrupt:
        logging.getLogger(__name__).error("interrupted: finished chains are kept, the same command continues")
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The parser with all commands."""
    parser = argparse.ArgumentParser(
        prog="python -m data_synthesis",
        description="Writes and checks text that recommenders are trained on.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    _add_cot(commands)
    return parser


def _add_cot(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command `cot`."""
    cot = commands.add_parser(
        "cot",
        help="five-stage reasoning chains over training interactions",
        description=_COT_HELP,
        epilog=_COT_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cot.add_argument(
        "--data",
        required=True,
        help="dataset by name (toy, movielens_100k, ...) or path: whatever genrec.data.load_dataset reads, "
        "such as the data folder of a run",
    )
    cot.add_argument("--out", required=True, type=Path, help="JSON-lines file to write")
    for entry in fields(CotConfig):
        cot.add_argument(
            f"--{entry.name}",
            type=type(entry.default),
            default=entry.default,
            choices=entry.metadata.get("choices"),
            help=f"{entry.metadata['help']} (default: {entry.default})",
        )
    cot.add_argument("--overwrite", action="store_true", help="replace files that other settings or data made")
    cot.add_argument("--quiet", action="store_true", help="no progress bar")
    cot.set_defaults(run=_run_cot)


def _run_cot(options: argparse.Namespace) -> int:
    """Loads the data and writes the chains."""
    config = CotConfig(**{entry.name: getattr(options, entry.name) for entry in fields(CotConfig)})
    from data_synthesis.cot import synthesize_chains
    from genrec.data import load_dataset

    dataset = load_dataset(options.data)
    synthesize_chains(dataset, config, options.out, overwrite=options.overwrite, progress=not options.quiet)
    return 0
