"""Settings of a stage small enough to run in a moment on the toy shop."""

from __future__ import annotations

from typing import Any

from sage.settings import SftArguments

SHAPE = {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "intermediate_size": 64, "vocab_size": 600}


def sft_arguments(**changes: Any) -> SftArguments:
    return SftArguments(run_dir="runs/none", dataset="toy", encoder="hash", codebook_size=8, **{**SHAPE, **changes})
