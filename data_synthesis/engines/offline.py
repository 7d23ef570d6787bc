"""What can be said without any language model? Rules over titles, categories, brands, genres and years."""

from random import Random

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

    def __init__(self, facts: ItemFacts, style: Style = "compact", seed: int = 0) -> None:
        if style not in STYLES:
            raise ValueError(f"style {style!r} is unknown; choose one of {', '.join(STYLES)}")
        self.facts = facts
        self.style = style
        self.seed = seed
        self.name = f"offline-rules-{style}"

    def write(self, example: Example, attempt: int = 0) -> Chain:
        """Writes the chain of one training event (see `ChainEngine.write`)."""
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
