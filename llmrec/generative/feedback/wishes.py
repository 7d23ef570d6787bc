"""What did a user's words ask for? One structure for the rule parser, language models and saved states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from llmrec.generative.records import words

MAX_ENTRIES, MAX_TEXT = 200, 300
OPPOSITES = (("require", "avoid"), ("require", "less"), ("more", "avoid"), ("more", "less"), ("liked", "disliked"))


@dataclass
class Wishes:
    """Constraints and leanings, everything by name so that it can be saved and read.

    Attributes:
        drop_items: item ids that must not come again.
        avoid: values that no item may have.
        require: values of which an item must have every one.
        max_price: items must cost less or the same; one without a price does not pass.
        min_price: items must cost more or the same.
        min_year: of appearance.
        max_year: of appearance.
        liked: item ids to move towards.
        disliked: item ids to move away from.
        more: texts to move towards.
        less: texts to move away from.
    """

    drop_items: list[str] = field(default_factory=list)
    avoid: list[str] = field(default_factory=list)
    require: list[str] = field(default_factory=list)
    max_price: float | None = None
    min_price: float | None = None
    min_year: int | None = None
    max_year: int | None = None
    liked: list[str] = field(default_factory=list)
    disliked: list[str] = field(default_factory=list)
    more: list[str] = field(default_factory=list)
    less: list[str] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """True when nothing is asked for."""
        return all(getattr(self, entry.name) in (None, []) for entry in fields(self))

    def merged(self, later: Wishes) -> Wishes:
        """These wishes with later ones: lists grow, later bounds replace, the last word on a value or item counts."""
        values: dict[str, Any] = {}
        for entry in fields(self):
            old, new = getattr(self, entry.name), getattr(later, entry.name)
            values[entry.name] = (
                [*old, *(x for x in new if x not in old)] if isinstance(old, list) else (old if new is None else new)
            )
        for wanted, unwanted in OPPOSITES:
            same = str if wanted == "liked" else words  # ids are exact, texts are not
            for gone, said in ((unwanted, wanted), (wanted, unwanted)):
                now = {same(text) for text in getattr(later, said)}
                values[gone] = [text for text in values[gone] if same(text) not in now]
        values["drop_items"] = [x for x in values["drop_items"] if x not in later.liked]
        return Wishes(**values)

    @classmethod
    def from_json(cls, found: Any) -> Wishes:
        """Read untrusted JSON (a language model's answer, a client's state).

        Raises:
            ValueError: it is no mapping, has an unknown or wrong field, or is too large.
        """
        if not isinstance(found, Mapping):
            raise ValueError(f"wishes must be a JSON object, got {type(found).__name__}")
        names = {entry.name for entry in fields(cls)}
        if unknown := sorted(set(map(str, found)) - names):
            raise ValueError(
                f"wishes have no field {', '.join(unknown)[:80]}; the fields are {', '.join(sorted(names))}"
            )
        made = cls()
        for name, value in found.items():
            setattr(made, name, _texts(name, value) if isinstance(getattr(made, name), list) else _number(name, value))
        return made


def _texts(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) > MAX_ENTRIES or not all(isinstance(x, str) for x in value):
        raise ValueError(f"'{name}' must be a list of at most {MAX_ENTRIES} texts")
    if any(len(x) > MAX_TEXT for x in value):
        raise ValueError(f"'{name}' holds a text of more than {MAX_TEXT} characters")
    return list(dict.fromkeys(value))


def _number(name: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e12:
        raise ValueError(f"'{name}' must be a number, got {str(value)[:40]!r}")
    return int(value) if name.endswith("year") else float(value)
