"""What must a system offer to stand behind the gateway, and how does it add routes of its own?

A system gives `create_app` an `Engine`: then /v1/recommendations, /v1/items, audits, feedback and the playground work.
Further routes come through a *door*: a function `register(gateway)` that a package names under the entry point group
`genrec.serving`; it is called once, when the application is made, and does what it likes with `gateway.app`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from genrec.data.catalogue import Catalogue

if TYPE_CHECKING:
    from genrec.serving.gateway import Gateway

GROUP = "genrec.serving"
OnText = Callable[[str], None]
"""Called with each new piece of the chain, from any thread."""
Door = Callable[["Gateway"], None]


class UpstreamError(Exception):
    """A model server did not answer.

    Args:
        code: Machine-readable reason, e.g. "upstream_unavailable".
        message: What happened, without user text.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Question:
    """A checked request.

    Attributes:
        history: Dense items, oldest first, at least one.
        mode: One of the engine's modes.
        k: Items wanted; the gateway makes sure that so many are allowed.
        reasoned: Mixed mode: how many come from reasoning (m).
        exclude: Dense items that must not be listed.
        within: (num_items,) True where an item may be listed; None allows all.
        within_key: The same filter has the same key; "" without one.
        num_samples: Chains; 1 is the greedy chain with a beam behind it.
        seed: Of the chains.
        alone: True keeps the request out of shared batches, so that it can be replayed exactly.
    """

    history: tuple[int, ...]
    mode: str
    k: int = 10
    reasoned: int = 3
    exclude: frozenset[int] = frozenset()
    within: NDArray[np.bool_] | None = field(default=None, compare=False, repr=False)
    within_key: str = ""
    num_samples: int = 1
    seed: int = 0
    alone: bool = False


@dataclass(frozen=True)
class Listed:
    """One item of an answer: dense index, semantic ID as text, log-probability (nats), reason, votes, source."""

    item: int
    sid: str
    score: float
    reason: str = ""
    votes: int = 0
    source: str = "beam"


@dataclass(frozen=True)
class Answer:
    """What an engine found.

    Attributes:
        listed: Different items, best first.
        chain: The chain behind the first reasoned item as people read it; "" in direct mode.
        stages: Stage number -> text of that chain.
        chains: Facts of every chain, for audits.
        timing: Phase -> milliseconds.
        tokens: Tokens that were generated.
    """

    listed: list[Listed]
    chain: str = ""
    stages: Mapping[str, str] = field(default_factory=dict)
    chains: list[dict[str, Any]] = field(default_factory=list)
    timing: Mapping[str, float] = field(default_factory=dict)
    tokens: int = 0


@dataclass(frozen=True)
class Page:
    """Row of the scenario table: the mode of a page, whether it is audited, what it needs."""

    mode: str
    audited: bool
    need: str


class Engine(Protocol):
    """A recommender behind the gateway.

    Attributes:
        catalogue: The items.
        modes: What `Question.mode` may be, the default first.
        lanes: Mode -> "direct" or "reasoning": which queue it waits in.
        scenarios: Name of a page -> its row.
        facts: Model, index hash and the like; put into every answer.
        similarity: (num_items, H) codes whose common prefix says how alike two items are; None when unknown.
    """

    catalogue: Catalogue
    modes: Sequence[str]
    lanes: Mapping[str, str]
    scenarios: Mapping[str, Page]
    facts: Mapping[str, Any]
    similarity: NDArray[np.int64] | None

    async def start(self) -> None:
        """Begin to work; called inside the event loop."""
        ...

    async def close(self) -> None:
        """Stop; called once, after the last answer."""
        ...

    def ready(self) -> Mapping[str, bool]:
        """Part -> whether it can answer now."""
        ...

    async def answer(self, question: Question, on_text: OnText | None = None) -> Answer:
        """Answer; a cancelled call frees what it holds. Raises UpstreamError when a model server fails."""
        ...


@runtime_checkable
class Grower(Protocol):
    """An engine that can take new items.

    Attributes:
        takes_items: Whether it does.
    """

    takes_items: bool

    def with_items(self, records: Sequence[Mapping[str, Any]]) -> Engine:
        """An engine, not yet started, whose catalogue holds these items behind the present ones.

        Args:
            records: One mapping per item with `item_id` and `title`, none of them known.

        Returns:
            The engine; the present one goes on until nobody waits for it.

        Raises:
            ValueError: They cannot be taken (no free code, no index).
        """
        ...


def installed_doors() -> list[Door]:
    """Doors of the installed packages, in the order of their names."""
    return [point.load() for point in sorted(entry_points(group=GROUP), key=lambda point: point.name)]
