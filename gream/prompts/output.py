"""What did the model answer? A strict reader of `<think>...</think><answer>SID</answer>`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

THINK_OPEN, THINK_CLOSE = "<think>", "</think>"
ANSWER_OPEN, ANSWER_CLOSE = "<answer>", "</answer>"
TAGS = (THINK_OPEN, THINK_CLOSE, ANSWER_OPEN, ANSWER_CLOSE)
_OUTPUT = re.compile(r"\A\s*<think>(?P<chain>.*)</think>\s*<answer>\s*(?P<answer>\S*)\s*</answer>\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class Parsed:
    """One generated completion, read strictly.

    Args:
        codes: SID codes of the answer, or None when the format is wrong.
        format_ok: True when the text is one think block and one answer that holds one well-formed SID.
        chain: text inside the think block ("" when the format is wrong).
        stages: stage number -> its text, for labelled lines of the chain.
    """

    codes: tuple[int, ...] | None = None
    format_ok: bool = False
    chain: str = ""
    stages: Mapping[int, str] = field(default_factory=dict)


def split_stages(chain: str, labels: Mapping[int, str]) -> dict[int, str]:
    """Split a chain into its labelled lines.

    Args:
        chain: text between the think tags.
        labels: stage number -> label that opens its line.

    Returns:
        Stage number -> text, in the order of first appearance; a repeated label keeps its first text.
    """
    stages: dict[int, str] = {}
    for line in chain.splitlines():
        for stage, label in labels.items():
            if line.startswith(label):
                stages.setdefault(stage, line[len(label) :].strip())
    return stages


def parse_output(
    text: str,
    vocabulary: Any,
    *,
    labels: Mapping[int, str],
    lengths: Collection[int],
    endings: Sequence[str] = (),
) -> Parsed:
    """Read a completion; anything but the exact format gives `Parsed()`.

    Args:
        text: decoded completion, with or without its end-of-turn token.
        vocabulary: object with `parse_one(text) -> codes | None` and `text_of(codes) -> text`.
        labels: stage number -> label.
        lengths: SID lengths that the index holds.
        endings: end-of-turn and padding tokens that may trail the text.

    Returns:
        What was read. The SID need not belong to an item: a prefix reward judges near misses too.
    """
    body = _strip_endings(text, endings)
    match = _OUTPUT.match(body)
    if match is None or any(body.count(tag) != 1 for tag in TAGS):
        return Parsed()
    codes = vocabulary.parse_one(match["answer"])
    if codes is None or len(codes) not in lengths or vocabulary.text_of(codes) != match["answer"]:
        return Parsed()
    return Parsed(tuple(int(c) for c in codes), True, match["chain"], split_stages(match["chain"], labels))


def _strip_endings(text: str, endings: Sequence[str]) -> str:
    """Remove trailing white space and end tokens, in any number."""
    while True:
        shorter = text.rstrip()
        for ending in endings:
            if ending:
                shorter = shorter.removesuffix(ending)
        if shorter == text:
            return text
        text = shorter
