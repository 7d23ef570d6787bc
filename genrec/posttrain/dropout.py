"""How is a small model kept from learning histories by heart? Dropout where Hugging Face's decoders have none.

Qwen3 and Llama know attention dropout only. A model trained from scratch on some 100,000 interactions sees each of them
several times; SASRec and TIGER drop embeddings and the output of each block, and so does this.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import Module, functional

BLOCK_OUTPUTS = ("o_proj", "down_proj")  # what Qwen3, Llama and Mistral add to the residual stream


def add_dropout(model: Any, rate: float) -> list[str]:
    """Drop entries of the input embeddings and of every block's output, in training mode only.

    The weights and their names stay as they are; hooks are not saved with a model.

    Args:
        model: causal LM with input embeddings and blocks that end in `o_proj` and `down_proj`.
        rate: share of entries set to zero, the others are scaled up; 0 adds nothing.

    Returns:
        Names of the modules whose output is dropped.

    Raises:
        ValueError: a rate outside [0, 1), or a model without such blocks.

    Source: Vaswani et al. 2017, section 5.4 (residual dropout).
    """
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"dropout is {rate}; it must be at least 0 and below 1")
    if rate == 0.0:
        return []

    def drop(module: Module, _: Any, output: Tensor) -> Tensor:
        return functional.dropout(output, rate, module.training)

    blocks = [name for name, _ in model.named_modules() if name.rsplit(".", 1)[-1] in BLOCK_OUTPUTS]
    if not blocks:
        raise ValueError(f"dropout needs blocks that end in {' and '.join(BLOCK_OUTPUTS)}; set dropout to 0")
    embeddings = model.get_input_embeddings()
    dropped = [name for name, module in model.named_modules() if module is embeddings] + blocks
    for name in dropped:
        model.get_submodule(name).register_forward_hook(drop)
    return dropped
