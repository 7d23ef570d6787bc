"""Who writes the texts? An engine: one prompt in, one text and its usage out. Rules and models look the same."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from data_synthesis.engines.stepwise import Step

Message = dict[str, str]
Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Usage:
    """Tokens of one call, or the sum over calls.

    Attributes:
        prompt: Tokens read.
        completion: Tokens written.
    """

    prompt: int = 0
    completion: int = 0

    @property
    def total(self) -> int:
        """Tokens read and written."""
        return self.prompt + self.completion

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.prompt + other.prompt, self.completion + other.completion)


@dataclass(frozen=True)
class Prompt:
    """One question.

    Attributes:
        key: Names the row of the job that it belongs to.
        render: Builds the chat messages; called only by engines that read words.
        schema: JSON schema of the answer.
        subject: What the question is about; engines of rules read this instead of the words.
        attempt: 0 first; each rejection asks again with the next number, for another wording.
        correction: Messages added after an answer that broke the schema.
        steps: The same question field by field, for models that lose their way in all of it at once.
    """

    key: str
    render: Callable[[], list[Message]]
    schema: Schema
    subject: Any = None
    attempt: int = 0
    correction: tuple[Message, ...] = ()
    steps: "tuple[Step, ...]" = ()

    @cached_property
    def messages(self) -> list[Message]:
        """The chat messages, system first."""
        return [*self.render(), *self.correction]

    @cached_property
    def estimated_tokens(self) -> int:
        """Upper estimate of the prompt's tokens: a third of its bytes (English has about a quarter)."""
        asked = [m for step in self.steps for m in step.messages] if self.steps else self.messages
        return sum(len(m["content"].encode()) // 3 + 16 for m in asked)

    @property
    def requests(self) -> int:
        """Requests that one answer takes."""
        return max(1, len(self.steps))


@dataclass(frozen=True)
class Answer:
    """What an engine said.

    Attributes:
        text: The answer, not checked yet.
        usage: What it cost in tokens.
        cut: True when the output limit ended it.
    """

    text: str
    usage: Usage = field(default_factory=Usage)
    cut: bool = False


class Engine(Protocol):
    """A writer.

    Attributes:
        name: Goes into every record as its `teacher`.
        settings: What else its answers depend on (temperature, ...); part of the job's fingerprint.
        reads_words: False for rules, which look at `Prompt.subject` only: they cost nothing and need no limits.
        remote: True when a request can get lost on its way, so that waiting for it has an end.
        max_output_tokens: Most tokens of an answer, for budgets; 0 for rules.
        at_once: Prompts that it wants under way together; 0 = as many as the job allows.
    """

    name: str
    settings: Mapping[str, Any]
    reads_words: bool
    remote: bool
    max_output_tokens: int
    at_once: int

    async def complete(self, prompt: Prompt) -> Answer:
        """Answers one prompt.

        Raises:
            Transient: Asking again later may help.
            Refused: This prompt will never be answered; others may.
            Fatal: No prompt will be answered.
        """

    async def close(self) -> None:
        """Releases connections or memory."""


class EngineError(Exception):
    """An engine gave no answer; the message holds no credential."""


class Transient(EngineError):
    """Asking again later may help.

    Attributes:
        retry_after: Seconds that the server asks to wait; None when it says nothing.
        billed: True when the prompt may have been paid for all the same (timeout, cut connection).
    """

    def __init__(self, message: str, retry_after: float | None = None, billed: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.billed = billed


class Refused(EngineError):
    """This prompt will never be answered (too long, content policy)."""


class Fatal(EngineError):
    """No prompt will be answered: wrong key, unknown model, no such server."""
