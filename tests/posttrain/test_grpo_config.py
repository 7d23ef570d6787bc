"""Arguments that only make sense together are refused with numbers and a remedy."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from transformers import Qwen3Config, Qwen3ForCausalLM

from genrec.posttrain.grpo_checks import BoundaryCallback, check_dataset, check_policy, check_reference
from genrec.posttrain.grpo_config import RecGRPOConfig
from gream.srpo.config import SRPOConfig


def srpo(folder: Path, **values: Any) -> SRPOConfig:
    return SRPOConfig(output_dir=str(folder), use_cpu=True, bf16=False, report_to="none", **values)


def tiny_model() -> Qwen3ForCausalLM:
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    return Qwen3ForCausalLM(Qwen3Config(vocab_size=11, num_key_value_heads=1, head_dim=8, **sizes))


def test_defaults_are_those_of_the_paper(tmp_path: Path) -> None:
    args = srpo(tmp_path)
    assert (args.num_generations, args.learning_rate, args.beta) == (10, 4e-6, 0.001)
    assert (args.loss_type, args.epsilon, args.temperature, args.top_p) == ("dapo", 0.2, 1.0, 1.0)
    assert (args.reward_exponent, args.bonus, args.bonus_k, args.dynamic_sampling) == (0.5, True, 4, True)
    assert args.answer_constraint is None


@pytest.mark.parametrize("kind", [RecGRPOConfig, SRPOConfig])
def test_every_field_of_ours_has_help(kind: Any) -> None:
    own = set(vars(kind)["__annotations__"])
    assert all(field.metadata.get("help") for field in fields(kind) if field.name in own)


def test_infinite_exponent_is_accepted_as_text(tmp_path: Path) -> None:
    assert srpo(tmp_path, reward_exponent="inf").reward_exponent == float("inf")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"reward_exponent": 0.0}, "reward_exponent must be positive, got 0.0; 0.5 is the paper's value"),
        ({"bonus_k": 11}, "got bonus_k 11 with num_generations 10. Set bonus_k=4 or bonus=False"),
        ({"bonus_k": 0}, "got bonus_k 0"),
        ({"num_generations": 4, "per_device_train_batch_size": 6, "steps_per_generation": 1}, "divisible"),
        ({"max_resample": -1}, "max_resample must be 0 or more rounds, got -1"),
        ({"answer_constraint": "tree"}, "must be None or 'trie', got 'tree'"),
        ({"answer_constraint": "trie", "use_vllm": True}, "needs transformers' generate, but use_vllm=True"),
        ({"answer_constraint": "trie", "top_p": 0.9}, "needs top_p=1.0, got 0.9"),
        ({"answer_constraint": "trie", "top_k": 20}, "needs top_k=0, got 20"),
        (
            {"num_iterations": 3, "save_steps": 10, "save_strategy": "steps"},
            "save_steps=10 is not a multiple of the 3 optimizer steps .* Set save_steps=12",
        ),
        (
            {"steps_per_generation": 4, "gradient_accumulation_steps": 2, "save_steps": 3},
            "save_steps=3 is not a multiple of the 2 optimizer steps .* Set save_steps=4",
        ),
        (
            {"steps_per_generation": 2, "save_steps": 2, "max_steps": 5},
            "max_steps=5 is not a multiple of the 2 optimizer steps .* Set max_steps=6",
        ),
        (
            {"steps_per_generation": 4, "gradient_accumulation_steps": 3},
            "= 4 and gradient_accumulation_steps 3 must divide one another",
        ),
    ],
)
def test_wrong_values_name_numbers_and_remedy(tmp_path: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        srpo(tmp_path, **values)


def test_groups_may_be_split_over_processes_only_without_resampling(tmp_path: Path) -> None:
    args = srpo(tmp_path, num_generations=4, per_device_train_batch_size=2, steps_per_generation=2)
    args.steps_per_generation = 1  # as on two processes: half a group on each
    with pytest.raises(ValueError, match=r"2 completions per process .* Set per_device_train_batch_size=4"):
        args.check_resampling()
    args.dynamic_sampling = False
    args.check_resampling()


def test_boundary_does_not_matter_when_nothing_is_saved(tmp_path: Path) -> None:
    assert srpo(tmp_path, num_iterations=3, save_steps=10, save_strategy="no").steps_per_rollout == 3


def test_share_as_save_interval_is_checked_when_training_begins(tmp_path: Path) -> None:
    class State:
        save_steps = 5

    args = srpo(tmp_path, num_iterations=2, save_steps=0.5, max_steps=10)
    with pytest.raises(ValueError, match="save_steps=5 is not a multiple of the 2"):
        BoundaryCallback().on_train_begin(args, State(), None)


def test_dataset_must_fill_a_generation_with_text_prompts(tmp_path: Path) -> None:
    args = srpo(tmp_path, per_device_train_batch_size=30)
    with pytest.raises(ValueError, match=r"has 2 rows, but one generation takes 3 different prompts"):
        check_dataset(Dataset.from_dict({"prompt": ["a", "b"]}), args)
    with pytest.raises(ValueError, match="needs a column 'prompt' with templated text"):
        check_dataset(Dataset.from_dict({"prompt": [[{"role": "user", "content": "x"}]] * 3}), args)
    with pytest.raises(ValueError, match="load it without streaming"):
        check_dataset(Dataset.from_dict({"prompt": ["a"] * 3}).to_iterable_dataset(), args)
    check_dataset(Dataset.from_dict({"prompt": ["a", "b", "c"]}), args)


def test_model_without_a_folder_has_no_reference(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"beta=0.001 needs a KL reference.* Save it"):
        check_policy(tiny_model(), srpo(tmp_path))
    check_policy(tiny_model(), srpo(tmp_path, beta=0.0))


def test_unmerged_adapter_is_refused(tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(tiny_model(), LoraConfig(target_modules=["q_proj"]))
    with pytest.raises(ValueError, match="Merge the adapter"):
        check_policy(adapted, srpo(tmp_path))


def test_reference_that_is_not_the_policy_is_refused() -> None:
    policy, other = tiny_model(), tiny_model()
    check_reference(policy, policy)
    check_reference(policy, None)
    with pytest.raises(ValueError, match="is not the model that was passed"):
        check_reference(policy, other)
