"""What must vLLM be told where there is no GPU? Its defaults are made for one."""

from __future__ import annotations

import os

CPU_ARGUMENTS = ("--dtype", "float32", "--enforce-eager", "--no-enable-chunked-prefill")
"""Of the server. Without a GPU bfloat16 is emulated, compiling takes minutes, and vLLM 0.31 ends with "CPU Generator
does not use offset" when a request with a seed has its prompt cut over two steps."""
_ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1"}  # GiB; else vLLM wants 92 % of the memory and ends where less is free


def vllm_environment() -> dict[str, str]:
    """Variables that vLLM needs on this machine; those that are set already keep their values, with a GPU none."""
    import torch

    known = {} if torch.cuda.is_available() else _ENVIRONMENT
    return {name: os.environ.get(name, value) for name, value in known.items()}
