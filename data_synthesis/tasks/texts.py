"""What do `items`, `users`, `preferences`, `rewrite` and `reasons` ask, and what becomes of the answers?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, get_args

from data_synthesis.engines import Engine, Message, Prompt
from data_synthesis.examples import Example
from data_synthesis.facts import ItemFacts
from data_synthesis.filters import FilterOptions, first_failure
from data_synthesis.prompts.door import TrainingView, known_items
from data_synthesis.prompts.fence import fenced
from data_synthesis.prompts.wording import chat, schema_of
from data_synthesis.records import whole_text
from data_synthesis.text import clean, words
from genrec.data.split import SplitKind
from genrec.data.texts import TextRecord


@dataclass(frozen=True)
class TextConfig:
    """Settings of the commands that write texts about items and users.

    Raises:
        ValueError: A value breaks its rule.
    """

    max_rows: int = field(default=0, metadata={"help": "most rows to write, in the data's order; 0 = all"})
    max_history: int = field(default=20, metadata={"help": "history items shown, the latest ones"})
    min_history: int = field(default=2, metadata={"help": "users with fewer training items are left out"})
    split: SplitKind = field(
        default="leave_one_out",
        metadata={
            "help": "whose training part is read: use the split that the recommender is judged by",
            "choices": get_args(SplitKind),
        },
    )
    profiles: str = field(
        default="", metadata={"help": "JSON lines with user_id and profile, shown by the command users"}
    )
    seed: int = field(default=0, metadata={"help": "seed of the chosen events (command reasons)"})
    attempts: int = field(default=3, metadata={"help": "answers asked for per row before it is dropped and counted"})

    def __post_init__(self) -> None:
        for name, least in (("max_rows", 0), ("min_history", 1), ("attempts", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, but must be at least {least}")
        if self.max_history < self.min_history:
            raise ValueError(
                f"max_history is {self.max_history}, but must be at least min_history ({self.min_history})"
            )
        if self.split not in get_args(SplitKind):
            raise ValueError(f"split is {self.split!r}, but must be one of {', '.join(get_args(SplitKind))}")


class TextTask:
    """One of the commands that write texts.

    Args:
        command: items, users, preferences, rewrite or reasons.
        view: What prompts may know.
        config: The settings.
        options: What the texts have to be like.
        engine: Who writes.
    """

    def __init__(
        self, command: str, view: TrainingView, config: TextConfig, options: FilterOptions, engine: Engine
    ) -> None:
        self.command, self.view, self.config, self.options = command, view, config, options
        self.engine = engine
        self.attempts = config.attempts
        self._said: set[tuple[str, ...]] = set()

    @property
    def facts(self) -> ItemFacts:
        """What the catalogue knows."""
        return self.view.facts

    def prompts(self) -> list[Prompt]:
        """One question per item, user or event."""
        schema = schema_of(self.command)
        if self.command == "items":
            items = range(len(self.view.item_ids))[: self.config.max_rows or None]
            return [Prompt(self.view.item_ids[i], partial(self._item_chat, i), schema, i) for i in items]
        return [
            Prompt(f"{example.user_id}|{example.position}", partial(self._user_chat, example), schema, example)
            for example in self._examples()
        ]

    def read(self, prompt: Prompt, fields: dict[str, Any]) -> TextRecord:
        """The record of a valid answer."""
        texts = {name: clean(value) for name, value in fields.items() if isinstance(value, str)}
        if self.command == "items":
            extra = {"attempt": prompt.attempt}
            item_id = self.view.item_ids[prompt.subject]
            return TextRecord("items", item_id, texts, teacher=self.engine.name, extra=extra)
        example: Example = prompt.subject
        history = [self.view.item_ids[item] for item in example.history]
        return TextRecord(
            kind=self.command,
            subject=example.user_id,
            texts=texts,
            history=history,
            target=self.view.item_ids[example.target] if example.target >= 0 else "",
            kept=known_items(fields.get("kept", ()), history),
            teacher=self.engine.name,
            extra={"position": example.position, "attempt": prompt.attempt},
        )

    def judge(self, record: TextRecord) -> str | None:
        """The reason of the first failed filter."""
        return first_failure(self.facts, record, self.options)

    def accept(self, record: TextRecord) -> bool:
        """Remembers the words of a record; False when another record has the same ones."""
        said = words(whole_text(record))
        fresh = said not in self._said
        self._said.add(said)
        return fresh

    def _examples(self) -> Sequence[Example]:
        """The users, or for reasons the events, that are asked about."""
        config = self.config
        limits = {"count": config.max_rows, "max_history": config.max_history, "min_history": config.min_history}
        if self.command == "reasons":
            return self.view.events(per_user=1, seed=config.seed, **limits)
        return self.view.histories(**limits)

    def _item_chat(self, item: int) -> list[Message]:
        return chat("items", self.options.language, fenced(self.view.item_lines(item)))

    def _user_chat(self, example: Example) -> list[Message]:
        profile = self.view.profile(example) if self.command == "users" else ""
        lines = [f"profile: {profile}"] * bool(profile) + ["history:", *self.view.history_lines(example)]
        if example.target >= 0:
            lines.append(f"next item: {self.view.target_line(example)}")
        return chat(self.command, self.options.language, fenced(lines))
