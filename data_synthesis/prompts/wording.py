"""With which words is each command asked? System rules, the task and the schema of the answer."""

from collections.abc import Mapping
from typing import Any

from data_synthesis.engines import Message
from data_synthesis.prompts.fence import FENCE_RULE

_TEXT: Mapping[str, Any] = {"type": "string"}
_NUMBERS: Mapping[str, Any] = {"type": "array", "items": {"type": "integer"}}

INSTRUCTIONS: dict[str, str] = {
    "items": (
        "Rewrite the material about one item into a description of 60 to 120 words: first its objective attributes, "
        "then how people experience it, as far as the reviews say so. Call the item by its name. Add nothing that the "
        "material does not say."
    ),
    "users": (
        "Describe the preferences of the user whose history (oldest first) is given, in 40 to 100 words: what they "
        "look for, which attributes recur, and what they seem to avoid. Support each claim with an item of the history."
    ),
    "preferences": (
        "Summarise the preferences of the user whose history (oldest first) is given, in three texts of 20 to 60 words "
        "each: long_term (what lasts over the whole history), short_term (what the latest items show) and general "
        "(both together). Support each claim with an item or attribute of the history."
    ),
    "cot": (
        "Explain step by step why the user whose history (oldest first) is given chose the next item. You know the "
        "next item, but reason towards it from the history: behaviour, preferences and intent must not name it, quote "
        "its title or hint at it by words that only it has. behaviour: which items of the history are evidence. "
        "preferences: which tastes they show. intent: what the user is after now. recommendation: names the next item "
        "with its title and gives a reason that cites an item of the history. denoised: the numbers of the history "
        "items that matter for it, in rising order, noise left out. 20 to 50 words per text."
    ),
    "rewrite": (
        "Clean the history (oldest first) of the user: leave out items that look accidental next to the others. kept: "
        "the numbers of the items that stay, in rising order; add nothing. reason: in 15 to 50 words what the kept "
        "items have in common."
    ),
    "reasons": (
        "Write the reason with which a good shop assistant would recommend the next item to the user whose history "
        "(oldest first) is given: 20 to 50 words, addressed to the user. Name the item with its title, cite an item of "
        "the history, and claim nothing that the material does not say."
    ),
}
_FIELDS: dict[str, dict[str, Mapping[str, Any]]] = {
    "items": {"description": _TEXT},
    "users": {"description": _TEXT},
    "preferences": {"long_term": _TEXT, "short_term": _TEXT, "general": _TEXT},
    "cot": {
        "behaviour": _TEXT,
        "preferences": _TEXT,
        "intent": _TEXT,
        "recommendation": _TEXT,
        "denoised": _NUMBERS,
    },
    "rewrite": {"kept": _NUMBERS, "reason": _TEXT},
    "reasons": {"reason": _TEXT},
}
COMMANDS = tuple(INSTRUCTIONS)


def schema_of(command: str) -> dict[str, Any]:
    """The JSON schema of a command's answer: every field required, no other allowed."""
    fields = _FIELDS[command]
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def chat(command: str, language: str, data: str) -> list[Message]:
    """The messages of one question.

    Args:
        command: One of `COMMANDS`.
        language: Code of the language to write in; empty = not said.
        data: The fenced material.

    Returns:
        A system and a user message. The form of the answer is said in words too, for servers without schemas.
    """
    kinds = {name: "list of numbers" if kind is _NUMBERS else "text" for name, kind in _FIELDS[command].items()}
    form = "{" + ", ".join(f'"{name}": <{kind}>' for name, kind in kinds.items()) + "}"
    spoken = f" Write in the language with the code '{language}'." if language else ""
    system = f"{INSTRUCTIONS[command]}{spoken} {FENCE_RULE} Answer with one JSON object and nothing else: {form}"
    return [{"role": "system", "content": system}, {"role": "user", "content": data}]


STEPS: Mapping[str, str] = {
    "behaviour": "Which items of the history belong together? Name two or three of them in one sentence.",
    "preferences": "What does this user like? Answer in one sentence that names a brand or a kind of product from the "
    "history.",
    "intent": "What is this user looking for now? Answer in one short sentence.",
    "recommendation": "Finish this sentence, naming one item of the history as the reason: {begin}",
    "denoised": "Which of the numbered items are most alike? Answer with their numbers only.",
}
STEP_RULE = f"You help a shop to understand its customers. You write short, plain sentences. {FENCE_RULE}"


def step_messages(field: str, data: str, begin: str = "") -> tuple[Message, ...]:
    """The messages that ask for one field of `cot`.

    Args:
        field: Its name.
        data: The fenced material that this step may see.
        begin: The beginning of a sentence that is to be finished.
    """
    question = STEPS[field].format(begin=begin)
    return ({"role": "system", "content": STEP_RULE}, {"role": "user", "content": f"{data}\n{question}"})
