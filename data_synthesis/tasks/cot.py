"""What does `cot` ask, and how does an answer become a chain? Rules and language models answer the same question."""

import json
from functools import cached_property, partial
from itertools import islice
from typing import Any

from data_synthesis.config import CotConfig
from data_synthesis.engines import Engine, Message, Prompt
from data_synthesis.engines.offline import OfflineTeacher
from data_synthesis.engines.stepwise import Step
from data_synthesis.examples import Example
from data_synthesis.facts import ItemFacts
from data_synthesis.filters import FilterOptions, first_failure
from data_synthesis.masking import mask_chain
from data_synthesis.prompts.door import TrainingView, known_items
from data_synthesis.prompts.fence import fenced, safe
from data_synthesis.prompts.wording import chat, schema_of, step_messages
from data_synthesis.text import clean
from genrec.data.chains import Chain

SHOT_SEED, SHOT_HISTORY, SHOT_CHARACTERS = 10_007, 4, 600  # other events than the job's, short histories
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
        return [self._prompt(example, schema) for example in self.examples()]

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

    def _prompt(self, example: Example, schema: dict[str, Any]) -> Prompt:
        """The question about one event, and the same field by field for engines that ask so."""
        key = f"{example.user_id}|{example.position}"
        steps = self._steps(example) if self.engine.settings.get("stepwise") else ()
        return Prompt(key, partial(self._chat, example), schema, example, steps=steps)

    def _steps(self, example: Example) -> tuple[Step, ...]:
        """One step per field; only the recommendation is shown the next item."""
        shown = fenced(["history:", *self.view.history_lines(example)])
        title = self.view.title(example.target)
        begin = f"I recommend {title} because"
        plain = [Step(name, step_messages(name, shown)) for name in STAGE_TEXTS[:3]]
        named = Step("recommendation", step_messages("recommendation", self._material(example), begin), begin)
        numbers = Step("denoised", step_messages("denoised", shown), most=len(example.history))
        return (*plain, named, numbers)

    def _chat(self, example: Example) -> list[Message]:
        system, user = chat("cot", self.options.language, self._material(example))
        shown = [shot for other, *shot in self._shots if other != example.user_id][: self.config.shots]
        return [system, *(message for shot in shown for message in shot), user]

    def _material(self, example: Example) -> str:
        lines = ["history:", *self.view.history_lines(example), f"next item: {self.view.target_line(example)}"]
        return fenced(lines)

    @cached_property
    def _shots(self) -> list[tuple[str, Message, Message]]:
        """User, question and answer of worked examples by the rules that pass every filter; one to spare."""
        if not self.config.shots:
            return []
        teacher = OfflineTeacher(self.facts, "full", self.config.seed)
        seed = self.config.seed + SHOT_SEED
        events = self.view.events(count=0, per_user=1, max_history=SHOT_HISTORY, min_history=2, seed=seed)
        good = (e for e in events if len(e.history) > 2 and self.judge(teacher.write(e)) is None)
        return [self._shot(e, teacher.fields(e)) for e in islice(good, self.config.shots + 1)]

    def _shot(self, example: Example, fields: dict[str, Any]) -> tuple[str, Message, Message]:
        told = {name: safe(fields[name], SHOT_CHARACTERS) for name in STAGE_TEXTS}  # the rules quote titles
        answer = {**told, "denoised": fields["denoised"]}
        said = {"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)}
        return example.user_id, {"role": "user", "content": self._material(example)}, said
