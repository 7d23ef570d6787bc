"""Where do our methods hook into TRL's GRPO? The only file that touches its private methods.

Legend: n completions of this process, N of all processes, G completions per group, R reward functions.
What is relied on, held by tests/posttrain/test_grpo_contract.py: `_generate` returns lists that may be edited, and
its caller goes on with the very lists `prompts` and `inputs`; `_calculate_rewards` gathers over processes;
`_generate_and_score_completions` returns a dict with the local `advantages`; `_generate_single_turn` calls
`model.generate`; the fused head scores `labels`; `_tokenize_prompts`, `_get_train_sampler`, `_metrics`, `_logs`,
`_pending_extra_logs`, `_pending_metrics` and `_step` exist; `_compute_loss` clamps by `epsilon_low` and
`epsilon_high`, which may be tensors (B, 1); tensors (n,) in the scored dict are shuffled and split with the batch.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import torch
from accelerate.utils import gather, is_peft_model
from datasets import Dataset
from trl import GRPOTrainer
from trl.trainer.utils import use_adapter

from genrec.decoding.constraint import AnswerConstraint
from genrec.posttrain.anchor import AnchorRows, divergence
from genrec.posttrain.answer_sampling import choice_mask, guarded_generation
from genrec.posttrain.answer_scoring import add_constrained_head
from genrec.posttrain.compact_head import add_compact_head
from genrec.posttrain.everywhere import count_everywhere, gather_columns, throughput
from genrec.posttrain.grpo_checks import BoundaryCallback, check_dataset, check_policy, check_reference
from genrec.posttrain.grpo_config import RecGRPOConfig
from genrec.posttrain.lora import expose_head_bias
from genrec.posttrain.method_hooks import MethodHooks
from genrec.posttrain.resampling import Batch, Row, fill_with_live_groups, fresh_prompt_indices
from genrec.posttrain.rollout_budget import LOGGED, RolloutBudget
from genrec.posttrain.rollouts import Rollouts, ScoredRollouts
from genrec.posttrain.sampler import ResumableRepeatSampler
from genrec.posttrain.shared_prompts import add_shared_prompts

logger = logging.getLogger(__name__)


class RecGRPOTrainer(MethodHooks, GRPOTrainer):  # type: ignore[misc]
    """GRPO with dynamic sampling, catalogue-constrained answers and checkpoints that resume exactly.

    With `dynamic_sampling=False`, `fast_scoring=False` and no constraint it trains exactly as `GRPOTrainer`. A method
    overrides `describe_rollouts`, `adjust_advantages` and `rollout_metrics`.

    Args:
        model: path or model; with `beta > 0` its folder must hold the same weights (it is the KL reference).
        reward_funcs: TRL reward functions.
        args: configuration.
        train_dataset: rows with `prompt` (text, tokenized as it is: no template, no BOS) and the columns that
            rewards need.
        processing_class: tokenizer.
        answer_constraint: needed when `args.answer_constraint` is "trie".
        anchor_rows: supervised rows, needed when `args.anchor_weight` is positive.
        encode_prompts: prompt texts -> token ids, where prompts are put together from ids; None = the tokenizer.
        options: further arguments of `GRPOTrainer` (callbacks, peft_config, eval_dataset, ...).

    Raises:
        ValueError: a dataset, model or tokenizer that would train something else than asked, with the remedy.
    """

    epsilon_low: Any  # the parent's; tensors while `clip_widths` has bounds of its own
    epsilon_high: Any

    def __init__(
        self,
        model: Any,
        reward_funcs: Any,
        args: RecGRPOConfig,
        train_dataset: Dataset,
        processing_class: Any,
        *,
        answer_constraint: AnswerConstraint | None = None,
        anchor_rows: Any = None,
        encode_prompts: Callable[[list[str]], list[list[int]]] | None = None,
        **options: Any,
    ) -> None:
        check_dataset(train_dataset, args)
        check_policy(model, args)
        if args.answer_constraint == "trie" and answer_constraint is None:
            raise ValueError(
                "answer_constraint='trie' needs a trie over token ids; pass answer_constraint=... or trie=..."
            )
        if args.anchor_weight > 0 and anchor_rows is None:
            raise ValueError(f"anchor_weight={args.anchor_weight} needs supervised rows; pass anchor_rows=...")
        self.answer_constraint = answer_constraint if args.answer_constraint == "trie" else None
        self.encode_prompts = encode_prompts
        super().__init__(model, reward_funcs, args, train_dataset, processing_class=processing_class, **options)
        expose_head_bias(self.model)
        if not (self.is_fsdp_enabled or self.is_deepspeed_enabled):  # there the reference is sharded already
            check_reference(self.model, self.ref_model)
        self._patch_scoring()
        self._anchor = None
        if args.anchor_weight > 0:
            pad = int(self.processing_class.pad_token_id)
            self._anchor = AnchorRows(anchor_rows, args.anchor_batch_size, pad, args.seed)
        self.add_callback(BoundaryCallback())
        self.budget = RolloutBudget(args.max_rollout_tokens)
        self.add_callback(self.budget)
        self._rows: list[Row] = []
        self._scored: ScoredRollouts | None = None
        self._drawn: ScoredRollouts | None = None
        self._numbers: dict[str, float] = {}

    # Hooks of the parent

    def _get_train_sampler(self, dataset: Any = None) -> ResumableRepeatSampler:
        """The parent's order, restored after a resume in a later epoch."""
        return ResumableRepeatSampler(
            current_epoch=lambda: int(self.state.epoch or 0),
            data_source=self.train_dataset if dataset is None else dataset,
            mini_repeat_count=self.num_generations,
            batch_size=self.args.generation_batch_size // self.num_generations,
            repeat_count=self.num_iterations * self.args.steps_per_generation,
            shuffle=self.shuffle_dataset,
            seed=self.args.seed,
        )

    def _tokenize_prompts(self, prompts: list[Any]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """Tokenize templated text as it is: the parent lets Llama-type tokenizers add a second BOS."""
        if self.encode_prompts is not None:
            return self.encode_prompts(prompts), None, {}
        return self.processing_class(text=prompts, add_special_tokens=False)["input_ids"], None, {}

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        """Sample inside the catalogue, and never a row of the output matrix that has no token."""
        if self.use_vllm:
            return super()._generate_single_turn(*args, **kwargs)
        model = self.accelerator.unwrap_model(self.model_wrapped)
        with guarded_generation(model, self.answer_constraint, len(self.processing_class)):
            return super()._generate_single_turn(*args, **kwargs)

    def _generate(self, prompts: list[Any]) -> tuple[Any, ...]:
        """Generate, mask what carries no choice, replace dead groups; edits `prompts` in place."""
        started = time.perf_counter()
        batch = Batch(self._rows, prompts, self._rollouts(prompts))
        tokens = sum(len(ids) for ids in batch.rollouts.completion_ids)
        self._numbers = {"tokens_per_second": throughput(tokens, time.perf_counter() - started, self.accelerator)}
        if self.model.training and self.args.dynamic_sampling:
            self._resample(batch)
        self._numbers[LOGGED] = float(self.budget.spent)
        return batch.rollouts.as_tuple()

    def _calculate_rewards(
        self,
        inputs: list[Row],
        prompts: list[Any],
        completions: list[Any],
        completion_ids_list: list[list[int]],
    ) -> torch.Tensor:
        """The parent's gathered rewards, kept together with the method's own facts."""
        rewards: torch.Tensor  # (N, R)
        rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        total = (rewards * self.reward_weights.to(rewards.device)).nansum(dim=1)
        start = self.accelerator.process_index * len(prompts)
        self._scored = ScoredRollouts(
            rewards_per_function=rewards,
            rewards=total.masked_fill(rewards.isnan().all(dim=1), torch.nan),
            group_size=self.num_generations if self.model.training else self.num_generations_eval,
            rows=slice(start, start + len(prompts)),
            facts=gather_columns(self.describe_rollouts(inputs, completions), self.accelerator),
        )
        return rewards

    def _generate_and_score_completions(self, inputs: list[Row]) -> dict[str, Any]:
        """The parent's batch with adjusted advantages; logs the method's numbers."""
        self._rows, self._drawn = inputs, None
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        assert self._scored is not None
        if self.model.training:
            output["advantages"] = self.adjust_advantages(output["advantages"], self._scored)
            # A deque as long as the batch: this overwrites the parent's values in the completions table.
            self._logs["advantages"].extend(gather(output["advantages"]).tolist())
            output |= self.rollout_columns(self._scored)
        self._log_rollouts(self._drawn or self._scored, self._scored)
        return output

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """The parent's pass, then a supervised one whose gradient adds up with it."""
        loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        return loss if self._anchor is None else loss + self._anchor_pass(model, self._anchor)

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        """The parent's loss; bounds of their own per completion replace its two numbers while it runs."""
        widths = self.clip_widths(inputs)
        if widths is None:
            return super()._compute_loss(model, inputs)
        numbers = self.epsilon_low, self.epsilon_high
        self.epsilon_low, self.epsilon_high = (width[:, None] for width in widths)
        try:
            return super()._compute_loss(model, inputs)
        finally:
            self.epsilon_low, self.epsilon_high = numbers

    # Steps

    def _anchor_pass(self, model: Any, anchor: AnchorRows) -> torch.Tensor:
        """Backward pass of the weighted loss on supervised rows; returns its share of the step's loss."""
        accumulation = self.current_gradient_accumulation_steps
        number = self.state.global_step * accumulation + (self._step - 1) % accumulation
        with self.compute_loss_context_manager():
            batch = anchor.batch(number, self.accelerator.process_index, self.accelerator.device)
            by_labels = self.args.anchor_target == "labels"
            raw = model(**batch).loss if by_labels else divergence(model, self._reference_logits, batch)
        self._metrics["train"]["anchor_loss"].append(float(raw.detach()))
        loss = raw * (self.args.anchor_weight / accumulation)
        self.accelerator.backward(loss, **({"scale_wrt_gas": False} if self.is_deepspeed_enabled else {}))
        return loss.detach()  # type: ignore[no-any-return]

    def _reference_logits(self, **inputs: Any) -> torch.Tensor:
        """Logits of the model that RL started from; under LoRA the parent's way of finding it."""
        if self.ref_model is not None:
            return self.ref_model(**inputs).logits  # type: ignore[no-any-return]
        model = self.accelerator.unwrap_model(self.model)
        with use_adapter(model, adapter_name="ref" if "ref" in model.peft_config else None):
            return self.model(**inputs).logits  # type: ignore[no-any-return]

    def _rollouts(self, prompts: list[Any]) -> Rollouts:
        """One batch of rollouts from the parent, counted; forced tokens are taken out of the loss."""
        rollouts = Rollouts(*super()._generate(prompts))
        if self.model.training:
            self.budget.add(count_everywhere(sum(len(ids) for ids in rollouts.completion_ids), self.accelerator))
        if self.answer_constraint is not None:
            rollouts.loss_mask = choice_mask(rollouts.completion_ids, self.answer_constraint)
        return rollouts

    def _resample(self, batch: Batch) -> None:
        """Replace dead groups of a batch in place and note how it went."""
        drawn = self._drawn = self._probe(batch)
        result = fill_with_live_groups(
            batch,
            drawn.local_flat.nonzero()[:, 0].tolist(),
            self._draw_fresh,
            lambda count: count_everywhere(count, self.accelerator),
            group_size=self.num_generations,
            max_rounds=self.args.max_resample,
        )
        groups, filler = len(drawn.flat), result.filler_everywhere
        self._numbers |= {"resample/rounds": float(result.rounds), "resample/filler": filler / groups}
        if filler:
            logger.info(
                "step %d: %d of %d groups without reward variance after %d resampling rounds; left out of the loss",
                self.state.global_step,
                filler,
                groups,
                result.rounds,
            )

    def _draw_fresh(self, resample_round: int) -> tuple[Batch, list[int]]:
        """A full batch on freshly drawn prompts and its live groups."""
        accumulation = self.args.gradient_accumulation_steps
        indices = fresh_prompt_indices(
            len(self.train_dataset),
            len(self._rows) // self.num_generations,
            seed=self.args.seed,
            step=self.state.global_step * accumulation + self._step % accumulation,
            resample_round=resample_round,
            rank=self.accelerator.process_index,
        )
        rows = [dict(self.train_dataset[index]) for index in indices for _ in range(self.num_generations)]
        prompts = [row["prompt"] for row in rows]
        batch = Batch(rows, prompts, self._rollouts(prompts))
        return batch, (~self._probe(batch).local_flat).nonzero()[:, 0].tolist()

    def _probe(self, batch: Batch) -> ScoredRollouts:
        """Score a batch ahead of the parent, leaving no trace in its logs."""
        rows = batch.rollouts.with_extra_fields(batch.rows)
        self._calculate_rewards(rows, batch.prompts, batch.rollouts.completions, batch.rollouts.completion_ids)
        self._pending_extra_logs.clear()
        self._pending_metrics.clear()
        assert self._scored is not None
        return self._scored

    def _patch_scoring(self) -> None:
        """Change how policy and reference score: quickly, and answers under the constraint."""
        policy = self.model.get_base_model() if is_peft_model(self.model) else self.model
        reference = None if self.ref_model is None else self.accelerator.unwrap_model(self.ref_model)
        for model in (policy, reference):
            if model is None:
                continue
            if self.args.fast_scoring:
                add_compact_head(model, self.temperature)
                if not (self.is_fsdp_enabled or self.is_deepspeed_enabled):
                    add_shared_prompts(model)
            if self.answer_constraint is not None:
                add_constrained_head(model, self.answer_constraint, self.temperature)

    def _log_rollouts(self, drawn: ScoredRollouts, kept: ScoredRollouts) -> None:
        """Hand the numbers of a generation to TRL's log."""
        self._numbers |= {
            "zero_variance/drawn": float(drawn.flat.float().mean()),
            "zero_variance/kept": float(kept.flat.float().mean()),
        }
        metrics = self._metrics["train" if self.model.training else "eval"]
        for name, value in (self._numbers | self.rollout_metrics(drawn, kept)).items():
            metrics[name].append(value)
