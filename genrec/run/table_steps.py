"""What does an arm of a table run? Its steps as the YAML file has them: those of every arm with changes, or its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

STEP_KEYS = {"config", "set"}


@dataclass(frozen=True)
class Step:
    """One recipe of an arm.

    Attributes:
        recipe: name of the script below recipes/, without `.py`.
        config: its YAML file; "" where the step is another arm's.
        settings: overrides.
        source: arm whose finished stage this is; "" where the step runs.
    """

    recipe: str
    config: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""

    @property
    def stage(self) -> str:
        """Folder that the recipe `<system>_<stage>` writes in its run folder."""
        return self.recipe.partition("_")[2]


def read_arm(place: str, steps: Mapping[str, Step], changes: Any) -> list[Step]:
    """Steps of an arm: its own where it names configs, else those of every arm with its changes.

    Args:
        place: file and arm, for messages.
        steps: recipe -> step of every arm.
        changes: recipe -> what differs, False where it is left out, `{from: <arm>}` where it is another arm's.

    Raises:
        ValueError: no mapping, an unknown recipe, or a step that is taken and changed at once.
    """
    changes = changes or {}
    if not isinstance(changes, dict):
        raise ValueError(f"{place}: give a mapping from recipes to what differs, got {changes}")
    if any(isinstance(change, dict) and "config" in change for change in changes.values()):
        return [_taken(place, name, step) or read_step(place, name, step) for name, step in changes.items()]
    if unknown := sorted(set(changes) - set(steps)):
        raise ValueError(f"{place} changes {', '.join(unknown)}; the steps of every arm are {', '.join(steps)}")
    kept = [step for step in steps.values() if changes.get(step.recipe) is not False]
    return [
        _taken(place, step.recipe, changes.get(step.recipe))
        or replace(step, settings=_changed(step.settings, changes.get(step.recipe) or {}))
        for step in kept
    ]


def _taken(place: str, recipe: str, change: Any) -> Step | None:
    """The step `{from: <arm>}`, None where it is none."""
    if not isinstance(change, dict) or "from" not in change:
        return None
    if set(change) != {"from"}:
        raise ValueError(f"{place}: a step from another arm is taken as it is, but {recipe} also has {sorted(change)}")
    return Step(recipe, source=str(change["from"]))


def read_step(place: str, recipe: str, step: Any) -> Step:
    """One step of the YAML file.

    Raises:
        ValueError: no config, or an unknown key.
    """
    if not isinstance(step, dict) or "config" not in step or set(step) - STEP_KEYS:
        raise ValueError(f"{place}: step '{recipe}' needs config and may have set, got {step}")
    return Step(recipe, str(step["config"]), step.get("set") or {})


def _changed(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with changes: in a mapping what is not changed stays, and null goes back to the config's own value."""
    both = [name for name in changes if isinstance(changes[name], dict) and isinstance(settings.get(name), dict)]
    merged = {**settings, **changes, **{name: {**settings[name], **changes[name]} for name in both}}
    return {name: value for name, value in merged.items() if value is not None}
