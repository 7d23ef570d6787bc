"""How does an adapter train new token rows too, and how does it become a plain checkpoint again?

A LoRA adapter leaves the embedding frozen, so new SID rows would keep their start values. peft's
`trainable_token_indices` trains chosen rows: with tied embeddings a list of ids covers input and output;
untied, a list would leave `lm_head` frozen.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


def embeddings_are_tied(model: Any) -> bool:
    """Tell whether input and output embeddings are one matrix."""
    output = model.get_output_embeddings()
    return output is not None and output.weight is model.get_input_embeddings().weight


def trainable_rows(model: Any, new_token_ids: Sequence[int]) -> list[int] | dict[str, list[int]]:
    """Return peft's `trainable_token_indices` for a model.

    Args:
        model: causal language model, already resized.
        new_token_ids: ids of the new tokens.

    Returns:
        The sorted ids for tied embeddings; {input module: ids, output module: ids} for untied ones.

    Raises:
        ValueError: when there is no id, or one lies outside the embedding.
    """
    ids = sorted({int(token) for token in new_token_ids})
    rows = model.get_input_embeddings().weight.shape[0]
    if not ids or ids[0] < 0 or ids[-1] >= rows:
        shown = "none" if not ids else f"{ids[0]}..{ids[-1]}"
        raise ValueError(f"new_token_ids ({shown}) must be non-empty and lie in 0..{rows - 1}; resize the model first")
    if embeddings_are_tied(model):
        return ids
    names = {id(module): name for name, module in model.named_modules()}
    modules = (model.get_input_embeddings(), model.get_output_embeddings())
    return {names[id(module)].rsplit(".", 1)[-1]: ids for module in modules}


def lora_config(
    model: Any,
    new_token_ids: Sequence[int],
    *,
    rank: int = 16,
    alpha: int = 32,
    dropout: float = 0.0,
    target_modules: str | Sequence[str] = "all-linear",
) -> Any:
    """Return a peft `LoraConfig` under which the new token rows train too.

    Args:
        model: causal language model, already resized to the extended tokenizer.
        new_token_ids: ids of the new tokens.
        rank: rank of the adapters.
        alpha: scale; adapters count alpha / rank.
        dropout: dropout before the adapters.
        target_modules: "all-linear" (without the output head) or module names.

    Returns:
        The configuration, for `SFTTrainer(peft_config=...)` or `get_peft_model`.
    """
    from peft import LoraConfig

    targets = target_modules if isinstance(target_modules, str) else list(target_modules)
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=targets,
        trainable_token_indices=trainable_rows(model, new_token_ids),
    )


def expose_head_bias(model: Any) -> None:
    """Let TRL read `lm_head.bias` through peft's wrapper of trainable rows.

    TRL 1.16's fused head asks the output module for `weight` and `bias`; the wrapper answers the first with
    the merged rows and raises on the second. May go when peft's wrapper forwards `bias`.

    Args:
        model: any model; one without such a wrapper is left as it is.
    """
    from peft.utils.other import TrainableTokensWrapper

    head = model.get_output_embeddings()
    if isinstance(head, TrainableTokensWrapper) and "bias" not in head.__dict__:
        head.__dict__["bias"] = head.original_module.bias  # not registered: it stays the base layer's parameter


def merge_adapter(folder: str | Path, out: str | Path, base: str | Path | None = None) -> Path:
    """Fold an adapter into its base model and save a plain checkpoint with the tokenizer.

    Args:
        folder: adapter folder (adapter_config.json, adapter weights and tokenizer files).
        out: folder of the plain checkpoint; it must not be the adapter's own.
        base: folder or id of the base model; None takes the one the adapter names.

    Returns:
        `out`.

    Raises:
        ValueError: when `folder` holds no adapter or equals `out`.
    """
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, out = Path(folder), Path(out)
    described = folder / "adapter_config.json"
    if not described.is_file():
        raise ValueError(f"{folder} holds no adapter_config.json; give the folder that the trainer saved with LoRA on")
    if folder.resolve() == out.resolve():
        raise ValueError(f"out is the adapter's own folder {folder}; choose another")
    source = base if base is not None else json.loads(described.read_text())["base_model_name_or_path"]
    model = AutoModelForCausalLM.from_pretrained(source, dtype="auto")
    tokenizer = AutoTokenizer.from_pretrained(folder if (folder / "tokenizer_config.json").is_file() else source)
    merged = PeftModel.from_pretrained(model, str(folder)).merge_and_unload(safe_merge=True)
    merged.save_pretrained(out)
    tokenizer.save_pretrained(out)
    logger.info("merged %s into %s", folder, out)
    return out
