"""How does a small model follow five instructions? One at a time: an engine that asks for one field after another.

A model of some hundred million parameters loses its way in a JSON object of five texts. Asked for one sentence at a
time it writes one. The answer is put together here, in the same form that a large model gives at once, and meets the
same filters. Steps before the recommendation are not shown the next item: such a model would repeat it.
Source: ours.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from data_synthesis.engines import Answer, Engine, Message, Prompt, Transient, Usage

_SENTENCES = re.compile(r"(?<=[.!?])\s+")
_NUMBER = re.compile(r"\b\d{1,3}\b")


@dataclass(frozen=True)
class Step:
    """One field of an answer, asked for by itself.

    Attributes:
        field: Its name.
        messages: The chat messages.
        begin: What the text begins with; the model was told so and goes on from there.
        most: 0 for a text; for a list of numbers the largest one that exists.
    """

    field: str
    messages: tuple[Message, ...]
    begin: str = ""
    most: int = 0


class StepwiseEngine:
    """Wraps an engine; prompts without steps pass through.

    Args:
        inner: Who writes.
        sentences: Most sentences kept of a text.
    """

    reads_words = True

    def __init__(self, inner: Engine, sentences: int = 2) -> None:
        self._inner, self._sentences = inner, sentences
        self.name, self.remote, self.at_once = inner.name, inner.remote, inner.at_once
        self.max_output_tokens = inner.max_output_tokens
        self.settings: Mapping[str, Any] = {**inner.settings, "stepwise": sentences}

    def __repr__(self) -> str:
        return f"StepwiseEngine({self._inner!r})"

    async def complete(self, prompt: Prompt) -> Answer:
        """Answers one prompt field by field (see `Engine`)."""
        if not prompt.steps:
            return await self._inner.complete(prompt)
        fields: dict[str, Any] = {}
        usage = Usage()
        for step in prompt.steps:
            asked = replace(prompt, render=partial(list, step.messages), schema={}, steps=(), correction=())
            try:
                answer = await self._inner.complete(asked)
            except Transient as error:
                error.billed = error.billed or usage.total > 0  # the steps before it were paid
                raise
            usage += answer.usage
            fields[step.field] = field_of(step, answer.text, self._sentences)
        return Answer(json.dumps(fields, ensure_ascii=False), usage)

    async def close(self) -> None:
        """Closes the engine behind it."""
        await self._inner.close()


def field_of(step: Step, text: str, sentences: int) -> Any:
    """The field that an answer to one step stands for.

    Args:
        step: What was asked.
        text: What came.
        sentences: Most sentences kept of a text; what is cut off in mid-sentence goes where a whole one is left.

    Returns:
        A text, or rising numbers that exist.
    """
    if step.most:
        return sorted({int(n) for n in _NUMBER.findall(text) if 1 <= int(n) <= step.most})
    line = " ".join(text.split()).strip('"“” ')
    parts = _SENTENCES.split(line)[:sentences]
    if len(parts) > 1 and parts[-1][-1:] not in ".!?":
        parts.pop()
    said = " ".join(parts)
    if not step.begin or said.lower().startswith(step.begin.lower()):
        return said
    return f"{step.begin} {said[:1].lower()}{said[1:]}" if said else ""
