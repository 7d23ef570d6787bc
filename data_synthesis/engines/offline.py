"""What can be said without any language model? Rules over titles, categories, brands, genres and years."""

import json
from collections.abc import Mapping
from random import Random
from typing import Any

from data_synthesis.engines import Answer, Prompt
from data_synthesis.examples import Example
from data_synthesis.facts import ItemFacts
from data_synthesis.plan import make_plan
from data_synthesis.wording.compact import word_compact
from data_synthesis.wording.full import word_full
from data_synthesis.wording.parts import KEEP, STYLES, Style
from genrec.data.chains import Chain


class OfflineTeacher:
    """Writes five-stage chains by rules: no model, no network, the same text for the same seed and event.

    Args:
        facts: What the catalogue knows.
        style: "compact" or "full".
        seed: Seed of the wording.

    Raises:
        ValueError: Unknown style.
    """

    reads_words = False
    remote = False
    max_output_tokens = 0
    at_once = 1

    def __init__(self, facts: ItemFacts, style: Style = "compact", seed: int = 0) -> None:
        if style not in STYLES:
            raise ValueError(f"style {style!r} is unknown; choose one of {', '.join(STYLES)}")
        self.facts = facts
        self.style = style
        self.seed = seed
        self.name = f"offline-rules-{style}"
        self.settings: Mapping[str, Any] = {}

    async def complete(self, prompt: Prompt) -> Answer:
        """Answers with the chain of the prompt's `Example`, in the schema of the command cot (see `Engine`)."""
        return Answer(json.dumps(self.fields(prompt.subject, prompt.attempt), ensure_ascii=False))

    def fields(self, example: Example, attempt: int = 0) -> dict[str, Any]:
        """The chain of a training event as the answer to the question of the command cot, and its mode."""
        chain = self.write(example, attempt)
        place = {item: number for number, item in enumerate(chain.history, start=1)}
        return {
            "behaviour": chain.behaviour,
            "preferences": chain.preferences,
            "intent": chain.intent,
            "recommendation": chain.recommendation,
            "denoised": [place.get(item, 0) for item in chain.denoised],
            "mode": str(chain.extra.get("mode")),
        }

    async def close(self) -> None:
        """Nothing to release."""

    def write(self, example: Example, attempt: int = 0) -> Chain:
        """Writes the chain of one training event.

        Args:
            example: The training event to explain.
            attempt: 0 first; the next numbers give other wordings.

        Returns:
            A chain that is not checked yet.
        """
        history, target = list(example.history), example.target
        plan = make_plan(self.facts, history, target, KEEP[self.style])
        rng = Random(f"{self.seed}|{example.user_id}|{self.facts.item_ids[target]}|{example.position}|{attempt}")
        worded = word_compact if self.style == "compact" else word_full
        texts = worded(self.facts, plan, target, len(history), rng)
        return Chain(
            user_id=example.user_id,
            history=[self.facts.item_ids[item] for item in history],
            target=self.facts.item_ids[target],
            behaviour=texts.behaviour,
            preferences=texts.preferences,
            intent=texts.intent,
            recommendation=texts.recommendation,
            denoised=[self.facts.item_ids[item] for item in plan.denoised],
            teacher=self.name,
            extra={"mode": plan.mode, "position": example.position, "attempt": attempt, "seed": self.seed},
        )
