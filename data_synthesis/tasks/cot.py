"""What does `cot` ask, and how does an answer become a chain? Rules and language models answer the same question."""

from functools import partial
from typing import Any

from data_synthesis.config import CotConfig
from data_synthesis.engines import Engine, Message, Prompt
from data_synthesis.examples import Example
from data_synthesis.facts import ItemFacts
from data_synthesis.filters import FilterOptions, first_failure
from data_synthesis.masking import mask_chain
from data_synthesis.prompts.door import TrainingView, known_items
from data_synthesis.prompts.fence import fenced
from data_synthesis.prompts.wording import chat, schema_of
from data_synthesis.text import clean
from genrec.data.chains import Chain

STAGE_TEXTS = ("behaviour", "preferences", "intent", "recommendation")


class CotTask:
    """Five-stage chains about training events.

    A chain that only repeats an earlier masked wording is kept when no attempt does better; a chain that
    fails a check never is.

    Args:
        view: What prompts may know.
        config: The settings.
        options: What the texts have to be like.
        engine: Who writes.
    """

    command = "cot"

    def __init__(self, view: TrainingView, config: CotConfig, options: FilterOptions, engine: Engine) -> None:
        self.view, self.config, self.options, self.engine = view, config, options, engine
        self.attempts = config.attempts
        self._seen: set[str] = set()

    @property
    def facts(self) -> ItemFacts:
        """What the catalogue knows."""
        return self.view.facts

    def examples(self) -> list[Example]:
        """The events to explain.

        Raises:
            ValueError: No user has enough training events.
        """
        config = self.config
        return self.view.events(
            count=config.max_chains,
            per_user=config.per_user,
            max_history=config.max_history,
            min_history=config.min_history,
            seed=config.seed,
        )

    def prompts(self) -> list[Prompt]:
        """One question per event."""
        schema = schema_of("cot")
        if not self.engine.reads_words:
            schema["properties"] = {**schema["properties"], "mode": {"type": "string"}}  # how the rules reasoned
        return [Prompt(f"{e.user_id}|{e.position}", partial(self._chat, e), schema, e) for e in self.examples()]

    def read(self, prompt: Prompt, fields: dict[str, Any]) -> Chain:
        """The chain of a valid answer."""
        example: Example = prompt.subject
        history = [self.facts.item_ids[item] for item in example.history]
        mode = {"mode": fields["mode"]} if "mode" in fields else {}
        return Chain(
            user_id=example.user_id,
            history=history,
            target=self.facts.item_ids[example.target],
            **{name: clean(fields[name]) for name in STAGE_TEXTS},
            denoised=known_items(fields["denoised"], history),
            teacher=self.engine.name,
            extra={**mode, "position": example.position, "attempt": prompt.attempt, "seed": self.config.seed},
        )

    def judge(self, record: Chain) -> str | None:
        """The reason of the first failed filter."""
        return first_failure(self.facts, record, self.options)

    def accept(self, record: Chain) -> bool:
        """Remembers a chain; False when another chain is the same once item names are masked."""
        masked = mask_chain(self.facts, record)
        fresh = masked not in self._seen
        self._seen.add(masked)
        return fresh

    def _chat(self, example: Example) -> list[Message]:
        lines = ["history:", *self.view.history_lines(example), f"next item: {self.view.target_line(example)}"]
        return chat("cot", self.options.language, fenced(lines))
