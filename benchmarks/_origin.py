"""Where was a benchmark measured? The keys that every results/bench_*.json carries."""

from __future__ import annotations

from typing import Any

from genrec.run.provenance import provenance


def bench_origin() -> dict[str, Any]:
    """Command, machine, versions and revision of this run."""
    facts = provenance()
    return {
        "command": facts["command"],
        "machine": facts["hardware"],
        "versions": facts["versions"],
        "revision": facts["revision"],
    }
