"""How much memory has this process taken?"""

from __future__ import annotations

import resource
import sys


def peak_memory_gib() -> float:
    """Largest resident set of this process so far, GiB."""
    scale = 2**30 if sys.platform == "darwin" else 2**20  # macOS counts bytes, Linux KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
