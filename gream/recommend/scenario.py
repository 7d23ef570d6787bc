"""Which mode serves which page? A table, so that a server applies it by name.

Source: METHODS 1.5 and the seed's scenario table (throughput pages direct, pages that must explain themselves
with reasoning, audits with a record, search with the first three results reasoned).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Mode = Literal["direct", "reasoning", "mixed"]
MODES: tuple[Mode, ...] = ("direct", "reasoning", "mixed")


@dataclass(frozen=True)
class Scenario:
    """One row of the table.

    Args:
        mode: Inference mode of the page.
        trace: True keeps a record of the request from which the answer can be produced again.
        need: What the page asks of a recommender, in a phrase.
    """

    mode: Mode
    trace: bool
    need: str


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "home_feed": Scenario("direct", False, "throughput and latency first"),
        "order_page": Scenario("reasoning", False, "a reason the buyer can follow"),
        "membership": Scenario("reasoning", False, "a reason the member can follow"),
        "compliance": Scenario("reasoning", True, "a record an auditor can replay"),
        "complaint": Scenario("reasoning", True, "an explanation of what was shown"),
        "search": Scenario("mixed", False, "reasons on top, speed below"),
    }
)


def scenario_of(name: str) -> Scenario:
    """Look a page up.

    Args:
        name: A key of `SCENARIOS`.

    Returns:
        Its row.

    Raises:
        ValueError: No such scenario.
    """
    if name not in SCENARIOS:
        raise ValueError(f"scenario '{name}' is not in the table; choose one of {', '.join(SCENARIOS)}")
    return SCENARIOS[name]
