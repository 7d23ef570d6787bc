"""How do sequences on one process stand against those on all others? Rows of every process, with gradients.

Legend: B local rows, M rows of all processes.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def gather_rows(rows: Tensor) -> Tensor:
    """Rows (B, ...) of all processes, (M, ...), in the order of the ranks; the rows themselves on one process.

    Every process may hold another number of rows. The gradient of a row is the sum over all processes.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return rows
    from torch.distributed.nn.functional import all_gather

    counts = [torch.zeros(1, dtype=torch.int64, device=rows.device) for _ in range(dist.get_world_size())]
    dist.all_gather(counts, torch.tensor([len(rows)], device=rows.device))
    sizes = [int(count) for count in counts]
    padded = torch.cat([rows, rows.new_zeros((max(sizes) - len(rows), *rows.shape[1:]))])
    if rows.requires_grad:
        parts = list(all_gather(padded))  # type: ignore[no-untyped-call]
    else:
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded.contiguous())
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])


def first_copies(keys: Tensor) -> Tensor:
    """Mark each key's first occurrence: (M, c) keys to (M,) bool.

    A process without an example of its own is given one of another's; the copy must not count twice.
    """
    equal = (keys[:, None] == keys[None, :]).all(-1)
    return equal.int().argmax(1) == torch.arange(len(keys), device=keys.device)
