"""How is GREAM used from a shell? `gream recommend` answers, `gream --help` teaches."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gream.recommend import Recommendation

GUIDE = """GREAM: recommendations from a language model that may think first.

A checkpoint is a folder that one of the recipes wrote (runs/<name>/align, reason or srpo). It holds weights,
tokenizer, item index, catalogue and prompts, so one argument is enough:

  gream recommend --model runs/tiny_ml100k/srpo --history "Toy Story" "Aladdin" --k 5
  gream recommend --model runs/tiny_ml100k/srpo --history 1 95 --mode reasoning
  gream recommend --model runs/tiny_ml100k/srpo --history 1 95 --scenario search --json
  gream items --model runs/tiny_ml100k/srpo --find "star wars"
  gream serve --model runs/tiny_ml100k/srpo        a server with a playground page
  gream merge --adapter path/to/adapter --out path/to/plain/checkpoint

Modes
  direct      the next item at once: fastest
  reasoning   several chains of thought vote; each item comes with the chain behind it
  mixed       the first three from reasoning, the rest direct
"""

# fmt: off
OPTIONS: dict[str, dict[str, Any]] = {
    "--model --run": {"dest": "model", "required": True, "metavar": "FOLDER", "help": "folder or hub id"},
    "--history": {"nargs": "+", "required": True, "metavar": "ITEM",
                  "help": "item ids or titles, oldest first; part of a title is enough when one item has it"},
    "--k": {"type": int, "default": 10, "help": "items wanted (default %(default)s)"},
    "--decode": {"choices": ("sample", "greedy_beam"), "default": "sample",
                 "help": "reasoning: chains that vote, or one greedy chain and a beam (default %(default)s)"},
    "--num-samples": {"type": int, "default": 8, "help": "reasoning: chains drawn (default %(default)s)"},
    "--temperature": {"type": float, "default": 0.7, "help": "reasoning: warmth (default %(default)s)"},
    "--top-p": {"type": float, "default": 0.9, "help": "reasoning: nucleus (default %(default)s)"},
    "--max-new-tokens": {"type": int, "default": 128, "help": "reasoning: tokens (default %(default)s)"},
    "--num-beams": {"type": int, "default": 20, "help": "width of the beam (default %(default)s)"},
    "--exclude-history": {"action": "store_true", "help": "never list an item of the history"},
    "--seed": {"type": int, "default": 0, "help": "seed of the chains (default %(default)s)"},
    "--json": {"action": "store_true", "help": "print JSON instead of text"},
}
# fmt: on


def build_parser() -> argparse.ArgumentParser:
    """Describe the commands."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="gream", description=GUIDE, formatter_class=plain)
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    _add_recommend(commands.add_parser("recommend", help="recommend items for a history", formatter_class=plain))
    from gream.serving.command import add_arguments

    add_arguments(commands.add_parser("serve", help="serve a checkpoint over HTTP", formatter_class=plain))
    items = commands.add_parser("items", help="look for items in the catalogue of a checkpoint")
    items.add_argument("--model", required=True, metavar="FOLDER", help="recommender folder")
    items.add_argument("--find", required=True, metavar="WORDS", help="part of a title or of an id")
    merge = commands.add_parser("merge", help="fold a LoRA adapter into its base model: a plain checkpoint")
    merge.add_argument("--adapter", required=True, metavar="FOLDER", help="folder with adapter_config.json")
    merge.add_argument("--out", required=True, metavar="FOLDER", help="folder of the plain checkpoint")
    merge.add_argument("--base", metavar="FOLDER", help="base model; default: the one that the adapter names")
    items.add_argument("--limit", type=int, default=10, help="most items shown (default %(default)s)")
    return parser


def _add_recommend(parser: argparse.ArgumentParser) -> None:
    """Arguments of `gream recommend`."""
    from gream.recommend.scenario import MODES, SCENARIOS

    table = "\n".join(f"  {name:<12}{row.mode:<11}{row.need}" for name, row in SCENARIOS.items())
    parser.description = "Recommend the next items for a history.\n\nScenarios and the mode each one takes:\n" + table
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--mode", choices=MODES, default="direct", help="how to decide (default %(default)s)")
    choice.add_argument("--scenario", choices=list(SCENARIOS), help="take the mode that this page uses")
    for flags, settings in OPTIONS.items():
        parser.add_argument(*flags.split(), **settings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: What follows `gream` on the command line; None takes it from there.

    Returns:
        0, or 2 when the request cannot be answered (the reason goes to standard error).
    """
    options = build_parser().parse_args(arguments)
    try:
        text = COMMANDS[options.command](options)
    except ValueError as error:
        print(f"gream: {error}", file=sys.stderr)
        return 2
    print(text)
    return 0


def _recommend(options: argparse.Namespace) -> str:
    """Answer `gream recommend`."""
    from transformers.utils.logging import disable_progress_bar

    from gream.recommend import GreamRecommender, SamplingConfig, scenario_of
    from gream.recommend.requests import find_item

    disable_progress_bar()
    sampling = SamplingConfig(options.temperature, options.top_p, options.max_new_tokens, options.seed)
    recommender = GreamRecommender.from_pretrained(options.model)
    history = [find_item(words, recommender.catalogue) for words in options.history]
    shared = {
        "exclude_history": options.exclude_history,
        "num_samples": options.num_samples,
        "sampling": sampling,
    }
    mode, record = options.mode, None
    if options.scenario:
        mode = scenario_of(options.scenario).mode
        found, record = recommender.recommend_for(options.scenario, history, options.k, **shared)
    else:
        shared |= {"num_beams": options.num_beams, "decode": options.decode}
        found = recommender.recommend(history, options.k, mode, **shared)
    if options.json:
        answer = {
            "mode": mode,
            "history": history,
            "recommendations": [r.to_json() for r in found],
            "record": record,
        }
        return json.dumps(answer, indent=2, ensure_ascii=False)
    titles = [recommender.catalogue.titles[recommender.catalogue.index_of(item)] for item in history]
    return as_text(titles, mode, found)


def as_text(history: Sequence[str], mode: str, found: Sequence[Recommendation]) -> str:
    """Lay a list out for a terminal.

    Args:
        history: Titles, oldest first.
        mode: The mode that answered.
        found: The list.

    Returns:
        One line per item; a chain is printed once, under the first item it led to.
    """
    lines = [f"after: {' | '.join(history)}", f"mode:  {mode}", ""]
    told: set[str] = set()
    for place, item in enumerate(found, start=1):
        votes = f", {item.votes} votes" if item.votes else ""
        lines.append(f"{place:>3}. {item.title}  [{item.item_id}]  (log-prob {item.score:.2f}{votes})")
        if item.reason and item.reason not in told:
            told.add(item.reason)
            lines += [f"       {line}" for line in item.reason.splitlines()]
    return "\n".join(lines)


def _items(options: argparse.Namespace) -> str:
    """Answer `gream items`."""
    from pathlib import Path

    from genrec.data.catalogue import Catalogue
    from gream.recommend.folder import CATALOGUE

    path = Path(options.model) / CATALOGUE
    if not path.is_file():
        raise ValueError(f"'{path}' does not exist; --model takes a recommender folder such as runs/<name>/srpo")
    catalogue = Catalogue.load(path)
    wanted = options.find.casefold()
    pairs = zip(catalogue.item_ids, catalogue.titles, strict=True)
    found = [(i, t) for i, t in pairs if wanted in t.casefold() or wanted == i.casefold()]
    if not found:
        raise ValueError(f"none of the {len(catalogue)} items has '{options.find}' in its title")
    more = [f"... and {len(found) - options.limit} more"] if len(found) > options.limit else []
    return "\n".join([f"{i}\t{t}" for i, t in found[: options.limit]] + more)


def _merge(options: argparse.Namespace) -> str:
    """Answer `gream merge`."""
    from genrec.posttrain.lora import merge_adapter

    return f"merged into {merge_adapter(options.adapter, options.out, options.base)}"


def _serve(options: argparse.Namespace) -> str:
    """Answer `gream serve`."""
    from gream.serving.command import run

    return run(options)


COMMANDS = {"recommend": _recommend, "serve": _serve, "items": _items, "merge": _merge}

if __name__ == "__main__":
    raise SystemExit(main())
