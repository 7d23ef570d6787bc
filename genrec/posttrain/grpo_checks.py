"""What would make a GRPO run train something else than asked? Checks before the first step, with remedies."""

from __future__ import annotations

from typing import Any

import torch
from accelerate.utils import is_peft_model
from datasets import Dataset
from transformers import TrainerCallback

from genrec.posttrain.grpo_config import RecGRPOConfig


def check_dataset(dataset: Any, args: RecGRPOConfig) -> None:
    """Check that the dataset can fill one generation with templated prompts.

    Args:
        dataset: training rows.
        args: configuration.

    Raises:
        ValueError: streamed, too small, or without text prompts.
    """
    if not isinstance(dataset, Dataset):
        raise ValueError(
            "train_dataset must be a datasets.Dataset (rows are drawn by index), got "
            f"{type(dataset).__name__}; load it without streaming"
        )
    needed = args.generation_batch_size // args.num_generations
    if len(dataset) < needed:
        raise ValueError(
            f"train_dataset has {len(dataset)} rows, but one generation takes {needed} different prompts "
            f"(generation_batch_size {args.generation_batch_size} / num_generations "
            f"{args.num_generations}). Add rows or lower per_device_train_batch_size or "
            "steps_per_generation."
        )
    if "prompt" not in dataset.column_names or not isinstance(dataset[0]["prompt"], str):
        raise ValueError(
            "train_dataset needs a column 'prompt' with templated text, found columns "
            f"{dataset.column_names}; build rows with the Formatter (reasoning_prompt)"
        )


def check_policy(model: Any, args: RecGRPOConfig) -> None:
    """Check that the policy can have a right KL reference.

    Args:
        model: path or model as passed by the user.
        args: configuration.

    Raises:
        ValueError: an unmerged adapter, or a model without a folder while the KL term is on.
    """
    if isinstance(model, str):
        return
    if is_peft_model(model):
        raise ValueError(
            "the policy is a PEFT model: its KL reference would be the base model, not the SFT model. "
            "Merge the adapter (genrec.posttrain.lora.merge_adapter), load the merged folder and pass "
            "peft_config for a new adapter."
        )
    if args.beta and not getattr(model.config, "_name_or_path", ""):
        raise ValueError(
            f"beta={args.beta} needs a KL reference, which is loaded from the model's folder, but this "
            "model has none. Save it (save_pretrained) and pass the folder, or set beta=0."
        )


def check_reference(policy: Any, reference: Any) -> None:
    """Check that the KL reference is the policy's starting point.

    Args:
        policy: the model that will be trained.
        reference: the model of the KL term, None without one.

    Raises:
        ValueError: their input embeddings differ.
    """
    if reference is None or not hasattr(reference, "get_input_embeddings"):
        return
    ours, theirs = policy.get_input_embeddings().weight, reference.get_input_embeddings().weight
    same = ours.shape == theirs.shape and torch.equal(ours.to(theirs.device, theirs.dtype), theirs)
    if not same:
        raise ValueError(
            f"the KL reference loaded from '{policy.config._name_or_path}' is not the model that was passed "
            f"(input embeddings {tuple(theirs.shape)} against {tuple(ours.shape)} or other values). Save "
            "the model and pass its folder."
        )


class BoundaryCallback(TrainerCallback):  # type: ignore[misc]
    """Refuses checkpoint intervals, given as a share of the run, that cut a batch of rollouts in two."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Check the intervals in steps, which are known now."""
        if args.save_strategy == "steps":
            args.check_boundary("save_steps", int(state.save_steps))
        if args.save_strategy == "best" and args.eval_strategy == "steps":
            args.check_boundary("eval_steps", int(state.eval_steps))
