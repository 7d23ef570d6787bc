"""How does the loop train on one process of many, without waiting for the others?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class AloneAccelerator:
    """The part of `accelerate.Accelerator` that the loop uses, for exactly one process.

    Item codes are learnt on the main process only; a real accelerator would wait there for the others for ever.

    Args:
        device: where the model trains.
    """

    num_processes, process_index, is_main_process = 1, 0, True

    def __init__(self, device: str = "cpu") -> None:
        self.device = torch.device(device)

    def prepare(self, module: torch.nn.Module, optimizer: Any) -> tuple[torch.nn.Module, Any]:
        """Move the module to the device; both come back as they are."""
        return module.to(self.device), optimizer

    def reduce(self, value: Tensor, reduction: str = "sum") -> Tensor:
        """The value itself: sum and mean over one process."""
        return value

    def backward(self, loss: Tensor) -> None:
        """Plain backward pass."""
        loss.backward()

    def clip_grad_norm_(self, parameters: Iterable[Tensor], max_norm: float) -> Tensor:
        """Clip the gradient norm of parameters in place."""
        return torch.nn.utils.clip_grad_norm_(parameters, max_norm)
