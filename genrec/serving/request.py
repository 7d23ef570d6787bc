"""What does a request mean? From a body to a checked Question, with a reason for every refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from genrec.serving.diversity import POOL
from genrec.serving.door import Engine, Question
from genrec.serving.errors import ApiError
from genrec.serving.feedback import arm_of
from genrec.serving.schemas import RecommendRequest

if TYPE_CHECKING:
    from genrec.serving.gateway import Gateway


@dataclass(frozen=True)
class Asked:
    """A request, understood.

    Attributes:
        question: For the engine; asks for a larger pool where variety is wanted.
        k: Items of the answer.
        diversity: As in the request.
        audited: Whether the answer is kept.
        scenario: Name of the page or None.
        arm: Experiment arm, None without a user.
        engine: Who answers; new items may put another one in its place meanwhile.
    """

    question: Question
    k: int
    diversity: float
    audited: bool
    scenario: str | None
    arm: str | None
    engine: Engine


def understand(body: RecommendRequest, gateway: Gateway) -> Asked:
    """Check a request against the catalogue, the engine and the limits.

    Args:
        body: The parsed body.
        gateway: Where it arrived.

    Returns:
        The question and what belongs to the answer.

    Raises:
        ApiError: 422 with a reason.
    """
    engine, config = gateway.engine, gateway.config
    arm = None if body.user_id is None else arm_of(body.user_id, config.arms, config.arm_salt)
    mode, audited = _mode(body, gateway, arm)
    if audited and gateway.audits is None:
        raise ApiError(422, "audit_disabled", "this server keeps no audits (retention 0)", "audit")
    if body.num_samples > config.max_samples:
        raise _limit("num_samples", body.num_samples, config.max_samples)
    history = _history(body, gateway)
    within, key = gateway.items.mask(body.filters)
    exclude = _excluded(body, gateway, history)
    allowed = len(gateway.items) if within is None else int(within.sum())
    left = allowed - sum(within is None or bool(within[item]) for item in exclude)
    _check_k(body.k, min(left, config.max_k), left)
    pool = min(POOL * body.k, left) if body.diversity else body.k
    question = Question(
        history, mode, pool, min(body.m, body.k), exclude, within, key, body.num_samples, body.seed, alone=audited
    )
    if body.diversity and engine.similarity is None:
        raise ApiError(422, "diversity_unavailable", "this model does not know how alike items are", "diversity")
    return Asked(question, body.k, body.diversity, audited, body.scenario, arm, engine)


def _mode(body: RecommendRequest, gateway: Gateway, arm: str | None) -> tuple[str, bool]:
    """The mode, and whether the answer is audited."""
    engine = gateway.engine
    if body.mode is not None and body.scenario is not None:
        raise ApiError(422, "mode_and_scenario", "give a mode or a scenario, not both", "mode")
    if body.scenario is not None:
        if body.scenario not in engine.scenarios:
            known = list(engine.scenarios)
            raise ApiError(
                422, "unknown_scenario", f"scenario: one of {', '.join(known)}", "scenario", details={"known": known}
            )
        page = engine.scenarios[body.scenario]
        return page.mode, page.audited or body.audit
    usual = arm if arm is not None and arm in engine.modes else engine.modes[0]
    mode = usual if body.mode is None else body.mode
    if mode not in engine.modes:
        known = list(engine.modes)
        raise ApiError(422, "unknown_mode", f"mode: one of {', '.join(known)}", "mode", details={"known": known})
    return mode, body.audit


def _history(body: RecommendRequest, gateway: Gateway) -> tuple[int, ...]:
    if not body.history:
        raise ApiError(422, "empty_history", "history: name at least one item, oldest first", "history")
    if len(body.history) > gateway.config.max_history:
        raise _limit("history", len(body.history), gateway.config.max_history, "history_too_long")
    return tuple(gateway.items.resolve(entry, f"history.{place}") for place, entry in enumerate(body.history))


def _excluded(body: RecommendRequest, gateway: Gateway, history: tuple[int, ...]) -> frozenset[int]:
    listed = body.filters.exclude
    items = {gateway.items.resolve(entry, f"filters.exclude.{place}") for place, entry in enumerate(listed)}
    return frozenset(items | set(history) if body.filters.exclude_history else items)


def _check_k(k: int, most: int, left: int) -> None:
    if k < 1:
        raise ApiError(422, "bad_k", f"k={k}: ask for at least one item", "k")
    if left < 1:
        raise ApiError(422, "nothing_left", "the filters leave no item", "filters")
    if k > most:
        raise ApiError(422, "bad_k", f"k={k}: at most {most} items can be listed here", "k", details={"limit": most})


def _limit(name: str, value: int, limit: int, code: str = "over_limit") -> ApiError:
    return ApiError(422, code, f"{name}: {value} is more than the limit of {limit}", name, details={"limit": limit})
