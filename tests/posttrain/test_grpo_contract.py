"""What RecGRPOTrainer relies on inside TRL; a failure here means: read the new TRL before anything else."""

from __future__ import annotations

import ast
import inspect
import textwrap
from dataclasses import fields
from typing import Any

import pytest
from transformers import Trainer
from trl import GRPOTrainer
from trl.trainer import utils

from genrec.posttrain.grpo import RecGRPOTrainer
from genrec.posttrain.rollouts import Rollouts

SIGNATURES = {
    "_generate": ["self", "prompts"],
    "_generate_single_turn": ["self", "prompt_ids", "images", "multimodal_fields", "num_generations"],
    "_generate_and_score_completions": ["self", "inputs"],
    "_calculate_rewards": ["self", "inputs", "prompts", "completions", "completion_ids_list"],
    "_tokenize_prompts": ["self", "prompts"],
    "_get_train_sampler": ["self", "dataset"],
    "_get_per_token_logps_and_entropies": ["self", "model", "input_ids", "attention_mask", "logits_to_keep"],
}


def source(name: str) -> str:
    return textwrap.dedent(inspect.getsource(inspect.unwrap(getattr(GRPOTrainer, name))))


def returned_names(name: str) -> list[str]:
    """Names in the last returned tuple of a method."""
    returns = [node.value for node in ast.walk(ast.parse(source(name))) if isinstance(node, ast.Return)]
    tuples: list[Any] = [value for value in returns if isinstance(value, ast.Tuple)]
    return [element.id for element in tuples[-1].elts]


@pytest.mark.parametrize("name", SIGNATURES)
def test_hooks_have_the_expected_arguments(name: str) -> None:
    parameters = list(inspect.signature(inspect.unwrap(getattr(GRPOTrainer, name))).parameters)
    assert parameters[: len(SIGNATURES[name])] == SIGNATURES[name]


@pytest.mark.parametrize("name", [name for name in SIGNATURES if name in vars(RecGRPOTrainer)])
def test_our_overrides_accept_what_trl_passes(name: str) -> None:
    theirs = inspect.signature(inspect.unwrap(getattr(GRPOTrainer, name)))
    ours = inspect.signature(getattr(RecGRPOTrainer, name))
    ours.bind(*[None] * len(theirs.parameters))


def test_generate_returns_eight_lists_in_the_order_of_rollouts() -> None:
    assert returned_names("_generate") == [
        "prompt_ids",
        "completion_ids",
        "tool_mask",
        "completions",
        "logprobs",
        "extra_fields",
        "images",
        "tool_images",
    ]
    assert len(fields(Rollouts)) == 8


def test_single_turn_and_tokenize_return_what_we_return() -> None:
    assert returned_names("_generate_single_turn") == ["completion_ids", "logprobs"]
    assert returned_names("_tokenize_prompts") == ["prompt_ids", "images", "multimodal_fields"]


@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("_generate_and_score_completions", "self._generate(prompts)"),
        ("_generate_and_score_completions", "self._calculate_rewards(inputs, prompts, completions"),
        ("_generate_and_score_completions", "loss_mask = completion_mask if tool_mask is None"),
        ("_generate_and_score_completions", 'output["tool_mask"] = tool_mask'),
        ("_generate_and_score_completions", "self._pending_extra_logs.clear()"),
        ("_generate_and_score_completions", "self._pending_metrics.clear()"),
        ("_generate_and_score_completions", 'self._logs["advantages"].extend('),
        ("_generate", "prompts = copy.deepcopy(prompts)"),
        ("_generate_single_turn", "unwrapped_model.generate("),
        ("_generate_single_turn", "**generate_inputs, generation_config=self.generation_config"),
        ("_calculate_rewards", "rewards_per_func = gather(rewards_per_func)"),
        ("_compute_loss", 'completion_mask * inputs["tool_mask"]'),
        ("_get_per_token_logps_and_entropies", "labels=labels, fused_lm_head=True"),
        ("_get_per_token_logps_and_entropies", "labels[:, :-logits_to_keep] = -100"),
        ("training_step", "self._step += 1"),
        ("_prepare_inputs", "self._step % generate_every == 0"),
    ],
)
def test_trl_still_does_what_we_build_on(name: str, fragment: str) -> None:
    assert fragment in source(name)


def test_fused_head_offers_the_scores_we_overwrite() -> None:
    assert {"log_probs", "entropy"} <= {field.name for field in fields(utils.FusedCausalLMOutput)}
    assert "last_hidden_state[:, :-1]" in inspect.getsource(utils.add_fused_lm_head)


def test_repeat_sampler_shuffles_with_its_own_generator_once_per_pass() -> None:
    text = inspect.getsource(utils.RepeatSampler)
    assert "torch.randperm(self.num_samples, generator=self.generator)" in text
    assert "self.generator.manual_seed(seed)" in text


def test_epoch_of_the_state_is_whole_when_an_epoch_begins() -> None:
    assert "self.state.epoch = epoch + (step + 1) / steps_in_epoch" in inspect.getsource(Trainer._run_epoch)
