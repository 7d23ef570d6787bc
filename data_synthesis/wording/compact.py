"""How does a tiny model put a chain? In about 20 words: names, attributes and one connecting word each."""

from random import Random

from data_synthesis.facts import ItemFacts
from data_synthesis.plan import Mode, Plan
from data_synthesis.wording.parts import StageTexts, fitting, phrase

_PAIR = ("{a}, {b}", "{a}; {b}", "{a} then {b}", "{a} and {b}", "{a}, later {b}")
_SINGLE = ("{a}", "only {a}", "chose {a}")
_COUNTED = ("{count}x {interest}: {a}", "{count} of {length} {interest}, last {a}")
_TASTE = ("{all}", "mostly {all}", "likes {all}", "often {all}")
_INTENT: dict[Mode, tuple[str, ...]] = {
    "series": ("more {focus}", "next {focus}", "stay with {focus}", "on with {focus}"),
    "drift": ("now {focus}", "turning to {focus}", "lately {focus}", "newly {focus}"),
    "continue": ("more {focus}", "still {focus}", "{focus} again", "keep to {focus}", "{focus} next"),
    "return": ("back to {focus}", "{focus} once more", "return to {focus}", "revisit {focus}"),
    "explore": ("a break from {focus}", "a change from {focus}", "beyond {focus}", "not {focus} now"),
}
_BECAUSE = (
    "{target} because {reason} like {anchor}",
    "{target} because {anchor} is {reason}",
    "{target} because of {reason}, see {anchor}",
    "{target} because {reason}, as {anchor}",
)
_CHANGE = ("{target} because a change from {reason}", "{target} because new after {anchor}")
_SERIES = (
    "{target} because same line as {anchor}",
    "{target} because it continues {anchor}",
    "{target} because {anchor} goes on",
)
_UNKNOWN = ("{target} because it follows {anchor}", "{target} because next after {anchor}")


def word_compact(facts: ItemFacts, plan: Plan, target: int, length: int, rng: Random) -> StageTexts:
    """Words a plan in the compact style.

    Args:
        facts: Names and attributes.
        plan: What to say.
        target: The item that stage 4 names.
        length: Number of history items shown.
        rng: Source of the wording.

    Returns:
        Four short texts.
    """
    taste = fitting([i.attribute.value for i in plan.preferences], word_limit=4)
    joiner = rng.choice((", ", " and ")) if len(taste) == 2 else ", "
    focus = plan.focus.value if plan.focus else ""
    return StageTexts(
        behaviour=_behaviour(facts, plan, length, rng),
        preferences=phrase(rng, _TASTE, all=joiner.join(taste)) if taste else "varied",
        intent=phrase(rng, _INTENT[plan.mode], focus=focus) if focus else "something new",
        recommendation=_recommendation(facts, plan, target, rng),
    )


def _behaviour(facts: ItemFacts, plan: Plan, length: int, rng: Random) -> str:
    """Two evidence items, or a count of the first interest with one of them."""
    names = [facts.names.short[item] for item in plan.evidence]
    top = plan.preferences[0] if plan.preferences else None
    if top is not None and (not names or (len(top.items) > 1 and rng.random() < 0.4)):
        values = {"count": len(top.items), "length": length, "interest": top.attribute.value}
        return phrase(rng, _COUNTED, a=names[-1], **values) if names else "{count}x {interest}".format(**values)
    if len(names) > 1:
        return phrase(rng, _PAIR, a=names[0], b=names[1])
    return phrase(rng, _SINGLE, a=names[0]) if names else f"{length} earlier choices"


def _recommendation(facts: ItemFacts, plan: Plan, target: int, rng: Random) -> str:
    """The target and why."""
    names = {"target": facts.names.short[target], "anchor": facts.names.short[plan.anchor]}
    if names["target"] == names["anchor"]:
        names["target"] = facts.names.full[target]
    if plan.reason is not None and plan.reason.kind == "line":
        return phrase(rng, _SERIES, **names)
    if plan.reason is None:
        return phrase(rng, _UNKNOWN, **names)
    templates = _CHANGE if plan.mode == "explore" else _BECAUSE
    return phrase(rng, templates, reason=plan.reason.value, **names)
