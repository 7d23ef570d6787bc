"""fp32 or bf16? Whichever is faster here.

bf16 products are about six times faster than fp32 on processors with AMX and seventy times slower on those that emulate
them, so no constant is right. A GPU with bf16 support always uses it.
"""

from __future__ import annotations

import time
from functools import cache


def _seconds(dtype_name: str, size: int) -> float:
    """Time of one matrix product on the CPU."""
    import torch

    matrix = torch.ones(size, size, dtype=getattr(torch, dtype_name))
    matrix @ matrix
    started = time.perf_counter()
    matrix @ matrix
    return time.perf_counter() - started


@cache
def bf16_is_faster(size: int = 256) -> bool:
    """True when bf16 pays on this machine's fastest device.

    Args:
        size: rows and columns of the probed product.
    """
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return _seconds("bfloat16", size) < 0.7 * _seconds("float32", size)
