"""How does one talk to LLMRec in a terminal? A list, then feedback in plain words, then the next list.

python -m llmrec.generative --model runs/llmrec_ml100k/align --history "Toy Story (1995)" "Aladdin (1992)"
> not the second, something from the 80s, more adventure

Commands: /state prints the whole conversation as JSON, /save FILE and --state FILE keep it, /quit ends it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from genrec.data.errors import DataError
from genrec.data.files import write_whole
from llmrec.generative.feedback.state import ConversationState
from llmrec.generative.folder import open_recommender
from llmrec.generative.recommender import GenerativeRecommender, Reply
from llmrec.generative.records import words


def main(arguments: Sequence[str] | None = None, source: TextIO | None = None, sink: TextIO | None = None) -> int:
    """Run a conversation.

    Args:
        arguments: command line; None takes it from the process.
        source: where messages come from.
        sink: where lists go.

    Returns:
        0; 2 for bad input.
    """
    options = _parser().parse_args(arguments)
    out = sink or sys.stdout
    try:
        recommender = open_recommender(options.model, options.chat)
        state = _start(recommender, options)
        talk(recommender, state, source or sys.stdin, out, options.k)
    except (ValueError, DataError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    return 0


def talk(
    recommender: GenerativeRecommender, state: ConversationState, source: TextIO, sink: TextIO, k: int = 5
) -> ConversationState:
    """Answer line after line until /quit or the end of the input; returns the last state."""
    reply = recommender.respond(state, None, k)
    sink.write(shown(reply))
    for line in source:
        text = line.strip()
        if text == "/quit":
            break
        if text == "/state":
            sink.write(reply.state.dumps() + "\n")
        elif text.startswith("/save "):
            write_whole(text.removeprefix("/save ").strip(), reply.state.dumps() + "\n")
        elif text:
            reply = recommender.respond(reply.state, text, k)
            sink.write(shown(reply))
        sink.flush()
    return reply.state


def shown(reply: Reply) -> str:
    """A list as text, one item and one reason per line."""
    note = [f"Nothing met everything; given up: {reply.note}."] if reply.note else []
    lines = [f"{place}. {row.title}\n   {row.reason}" for place, row in enumerate(reply.items, start=1)]
    return "\n".join([*note, *(lines or ["No item is left. Ask for less."]), ""])


def resolve(recommender: GenerativeRecommender, name: str) -> str:
    """Item id of an id or a title.

    Raises:
        ValueError: neither; the nearest titles are named.
    """
    if name in recommender.catalogue.item_ids:
        return name
    wanted = words(name)
    exact = [record for record in recommender.records.all if words(record.title) == wanted]
    begins = [record for record in recommender.records.all if words(record.title)[: len(wanted)] == wanted]
    found = exact or begins
    if wanted and found:
        return found[0].item_id
    import difflib

    near = difflib.get_close_matches(name, recommender.catalogue.titles, 3, 0.3)
    raise ValueError(f"no item has the id or title {name!r}; did you mean {', '.join(near) or 'another one'}?")


def _start(recommender: GenerativeRecommender, options: argparse.Namespace) -> ConversationState:
    """A saved conversation, or a new one."""
    if options.state:
        if not Path(options.state).is_file():
            raise ValueError(f"there is no state file '{options.state}'")
        return ConversationState.loads(Path(options.state).read_text(encoding="utf-8"))
    history = [resolve(recommender, name) for name in options.history]
    return ConversationState(history=history, interests=list(options.interests))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m llmrec.generative", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, help="folder of recipes/llmrec_align.py, <run_dir>/align")
    parser.add_argument("--history", nargs="*", default=[], help="item ids or titles, oldest first")
    parser.add_argument("--interests", nargs="*", default=[], help="what you like, in words")
    parser.add_argument("--state", help="continue a saved conversation")
    parser.add_argument("--chat", help="chat model: smollm2, a folder, or http://host:port/v1#model (default: rules)")
    parser.add_argument("--k", type=int, default=5, help="items per list")
    return parser
