"""How does a language model put a chain? In readable sentences with full titles."""

from random import Random

from data_synthesis.facts import Attribute, ItemFacts
from data_synthesis.plan import Mode, Plan
from data_synthesis.wording.parts import StageTexts, phrase

_EVIDENCE = (
    "Among the last {length} choices, {items} stand out.",
    "The history of {length} items includes {items}.",
    "The user went for {items}, out of {length} earlier choices.",
    "Telling choices so far ({length} in all): {items}.",
)
_COUNT = (
    " {count} of them belong to {interest}.",
    " There are {count} of {interest}.",
    " That makes {count} choices of {interest}.",
    "",
)
_TASTE = (
    "A lasting taste for {all}.",
    "This user keeps coming to {all}.",
    "What connects these choices is {all}.",
    "The strongest interests are {all}.",
)
_INTENT: dict[Mode, tuple[str, ...]] = {
    "series": (
        "The next step is likely within {focus}.",
        "The user seems to follow {focus} and wants more of it.",
        "For this user {focus} is not finished yet.",
    ),
    "drift": (
        "Interest has recently moved towards {focus}, so the next choice should go there.",
        "The latest choices lean to {focus} more than the earlier ones did.",
        "A newer inclination, {focus}, is likely to decide the next choice.",
    ),
    "continue": (
        "The user probably wants another item of {focus}.",
        "The current run of {focus} is likely to go on.",
        "Right now {focus} is what the user is after.",
    ),
    "return": (
        "After some other choices the user may return to {focus}.",
        "An earlier interest, {focus}, is due again.",
        "It has been a while since {focus}: time to revisit it.",
    ),
    "explore": (
        "The user may want a change from {focus}.",
        "After much {focus}, something different is likely.",
        "The next choice probably lies outside {focus}.",
    ),
}
_BECAUSE = (
    '"{target}" fits the interest in {reason} that "{anchor}" shows.',
    'I recommend "{target}": the user chose "{anchor}", and both belong to {reason}.',
    '"{target}" is next, because "{anchor}" showed an interest in {reason}.',
)
_CHANGE = (
    '"{target}" has no attribute in common with the history; it is a change from {reason} and "{anchor}".',
    'I recommend "{target}" as a step away from {reason}, after "{anchor}".',
)
_SERIES = (
    '"{target}" continues {reason}, which "{anchor}" belongs to.',
    'I recommend "{target}": after "{anchor}" it is the next of {reason}.',
    '"{target}" is next, because "{anchor}" is of the same line, {reason}.',
)
_UNKNOWN = ('"{target}" follows "{anchor}"; the catalogue says no more about either.',)


def word_full(facts: ItemFacts, plan: Plan, target: int, length: int, rng: Random) -> StageTexts:
    """Words a plan in sentences.

    Args:
        facts: Names and attributes.
        plan: What to say.
        target: The item that stage 4 names.
        length: Number of history items shown.
        rng: Source of the wording.

    Returns:
        Four texts of one or two sentences.
    """
    interests = [spoken(interest.attribute) for interest in plan.preferences]
    focus = spoken(plan.focus) if plan.focus else ""
    return StageTexts(
        behaviour=_behaviour(facts, plan, length, rng),
        preferences=phrase(rng, _TASTE, all=_listed(interests)) if interests else "No clear taste is visible.",
        intent=phrase(rng, _INTENT[plan.mode], focus=focus) if focus else "The user may try something new.",
        recommendation=_recommendation(facts, plan, target, rng),
    )


def spoken(attribute: Attribute) -> str:
    """The attribute as it stands in a sentence, e.g. "the 1980s" or "the year 1997"."""
    if attribute.kind == "era":
        return f"the {attribute.value}" if attribute.value.endswith("s") else f"the year {attribute.value}"
    return attribute.value


def _behaviour(facts: ItemFacts, plan: Plan, length: int, rng: Random) -> str:
    """Quoted evidence items and, at times, how often the first interest occurs."""
    quoted = [f'"{facts.names.full[item]}"' for item in plan.evidence]
    text = phrase(rng, _EVIDENCE, items=_listed(quoted), length=length) if quoted else f"{length} choices so far."
    if not plan.preferences or len(plan.preferences[0].items) < 2:
        return text
    top = plan.preferences[0]
    return text + phrase(rng, _COUNT, count=len(top.items), interest=spoken(top.attribute))


def _recommendation(facts: ItemFacts, plan: Plan, target: int, rng: Random) -> str:
    """The target and why."""
    names = {"target": facts.names.full[target], "anchor": facts.names.full[plan.anchor]}
    if plan.reason is None:
        return phrase(rng, _UNKNOWN, **names)
    templates = _CHANGE if plan.mode == "explore" else _SERIES if plan.reason.kind == "line" else _BECAUSE
    return phrase(rng, templates, reason=spoken(plan.reason), **names)


def _listed(values: list[str]) -> str:
    """`a`, `a and b` or `a, b and c`."""
    return values[0] if len(values) == 1 else ", ".join(values[:-1]) + " and " + values[-1]
