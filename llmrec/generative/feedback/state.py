"""What does a conversation know? Everything, in one explicit value that is JSON on the wire and on disk.

The server keeps nothing between turns: the same state and message give the same list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from llmrec.generative.feedback.wishes import Wishes

FORMAT = "llmrec.state/1"
MAX_ITEMS, MAX_TURNS, MAX_TEXT = 1000, 200, 2000


@dataclass
class ConversationState:
    """A conversation so far.

    Attributes:
        history: item ids, oldest first.
        interests: what the user said about themselves.
        wishes: everything asked for so far, merged.
        shown: item ids of the last list, in its order.
        turns: messages of the user, oldest first.
    """

    history: list[str] = field(default_factory=list)
    interests: list[str] = field(default_factory=list)
    wishes: Wishes = field(default_factory=Wishes)
    shown: list[str] = field(default_factory=list)
    turns: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"format": FORMAT, **asdict(self)}

    def dumps(self) -> str:
        """One line of JSON; equal states give equal text."""
        return json.dumps(self.to_json(), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, found: Any) -> ConversationState:
        """Read a state that came from a client, checking every field.

        Raises:
            ValueError: it is no state, or a field is wrong or too large.
        """
        if not isinstance(found, Mapping) or found.get("format", FORMAT) != FORMAT:
            raise ValueError(f"this is no {FORMAT!r} state; send back what the last answer carried")
        known = {"format", "history", "interests", "wishes", "shown", "turns"}
        if unknown := sorted(set(map(str, found)) - known):
            raise ValueError(f"a state has no field {', '.join(unknown)[:80]}")
        lists = {
            name: _texts(name, found.get(name, []), most)
            for name, most in (("history", MAX_ITEMS), ("interests", 20), ("shown", MAX_ITEMS), ("turns", MAX_TURNS))
        }
        return cls(**lists, wishes=Wishes.from_json(found.get("wishes") or {}))

    @classmethod
    def loads(cls, text: str) -> ConversationState:
        """Read what `dumps` wrote.

        Raises:
            ValueError: it is no JSON, or no state.
        """
        try:
            return cls.from_json(json.loads(text))
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"the state is no JSON: {error}") from error


def _texts(name: str, value: Any, most: int) -> list[str]:
    """A list of at most `most` texts."""
    if not isinstance(value, list) or len(value) > most or not all(isinstance(x, str) for x in value):
        raise ValueError(f"'{name}' of a state must be a list of at most {most} texts")
    if any(len(x) > MAX_TEXT for x in value):
        raise ValueError(f"'{name}' of a state holds a text of more than {MAX_TEXT} characters")
    return list(value)
