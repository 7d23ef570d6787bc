"""How do all processes come to the same numbers? Sums and gathers over processes, one exchange each.

Legend: n rows of this process, N of all processes.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate.utils import gather


def gather_columns(columns: dict[str, torch.Tensor], accelerator: Any) -> dict[str, torch.Tensor]:
    """Columns (n,) of this process -> columns (N,) of all."""
    if not columns:
        return {}
    table = torch.stack([columns[name].double() for name in sorted(columns)], dim=1)
    gathered = gather(table.to(accelerator.device)).cpu()
    return dict(zip(sorted(columns), gathered.unbind(dim=1), strict=True))


def count_everywhere(count: int, accelerator: Any) -> int:
    """Sum of a count over processes, so that all take the same decision."""
    here = torch.tensor(count, device=accelerator.device)
    return int(accelerator.reduce(here, reduction="sum"))


def throughput(tokens: int, seconds: float, accelerator: Any) -> float:
    """Generated tokens per second of all processes together."""
    here = torch.tensor([float(tokens), seconds], device=accelerator.device)
    total, spent = accelerator.reduce(here, reduction="sum").tolist()
    return float(total * accelerator.num_processes / max(spent, 1e-9))
