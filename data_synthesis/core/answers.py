"""Is this text the answer that was asked for? JSON out of chatter, its schema, and a request to repair it."""

import json
import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

from data_synthesis.engines import Answer, Message, Prompt, Schema

INVALID = ("empty_answer", "cut_answer", "invalid_json", "wrong_schema")
_FENCED = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)
_THOUGHT = re.compile(r"^.*</think>", re.DOTALL)
_SHOWN = 2_000  # characters of a broken answer that the repair request quotes


class InvalidAnswer(ValueError):
    """The answer is not what the schema asks for.

    Attributes:
        reason: One of `INVALID`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def parse_answer(answer: Answer, schema: Schema) -> dict[str, Any]:
    """Reads the JSON object of an answer.

    Args:
        answer: What the engine said: bare JSON, fenced JSON, or JSON after a `</think>`.
        schema: What it must fit.

    Returns:
        The object.

    Raises:
        InvalidAnswer: It is empty, cut off, not JSON or of another shape.
    """
    text = _THOUGHT.sub("", answer.text).strip()
    if not text:
        raise InvalidAnswer("empty_answer", "the answer is empty")
    try:
        found = _json_in(text)
    except (ValueError, RecursionError) as error:
        reason = "cut_answer" if answer.cut else "invalid_json"
        raise InvalidAnswer(reason, f"not a JSON object: {error}") from None
    problem = next(iter(_validator(json.dumps(schema, sort_keys=True)).iter_errors(found)), None)
    if problem is not None:
        place = "/".join(map(str, problem.path)) or "the object"
        raise InvalidAnswer("wrong_schema", f"{place}: {problem.message[:200]}")
    return dict(found)


def repair_messages(answer: str, problem: str) -> tuple[Message, ...]:
    """What is added to a prompt after a broken answer."""
    request = (
        f"That answer cannot be used ({problem}). Answer the first message again, "
        "with one JSON object of the required form and nothing else."
    )
    return ({"role": "assistant", "content": answer[:_SHOWN] or "{}"}, {"role": "user", "content": request})


def with_repair(prompt: Prompt, rejected: list[dict[str, Any]]) -> Prompt:
    """The prompt, with one repair request when the last answer broke the schema and was no repair itself.

    Args:
        prompt: The plain prompt.
        rejected: Journal rows of the earlier attempts of the same question, oldest first.
    """
    last = rejected[-1] if rejected else None
    if last is None or last["reason"] not in INVALID or last.get("repair"):
        return prompt
    correction = repair_messages(last["text"], last["reason"].replace("_", " "))
    return replace(prompt, correction=correction)


def _json_in(text: str) -> Any:
    """The object in a text: the whole of it, else a fenced block, else from the first brace on."""
    if text.startswith("{"):
        return json.JSONDecoder().raw_decode(text)[0]
    if fenced := _FENCED.search(text):
        return json.loads(fenced[1])
    at = text.find("{")
    if at < 0:
        raise ValueError("there is no brace in it")
    return json.JSONDecoder().raw_decode(text, at)[0]


@lru_cache(maxsize=32)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema))
