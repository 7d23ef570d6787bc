"""Which knobs does recommendation GRPO add? Dynamic sampling, constrained answers, safe checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from trl import GRPOConfig


@dataclass
class RecGRPOConfig(GRPOConfig):  # type: ignore[misc]
    """GRPO arguments for recommendation.

    Args:
        dynamic_sampling: replace groups without reward variance by freshly sampled prompts.
        max_resample: most resampling rounds per generation.
        answer_constraint: None for free sampling, "trie" for answers that exist in the catalogue.
        anchor_weight: weight of a supervised loss beside the policy's; 0 leaves it out.
        anchor_batch_size: supervised rows per process and pass.
        anchor_target: "labels" for cross-entropy on the rows' own tokens, "reference" for the divergence from the
            model that RL started from.
        fast_scoring: score completion tokens only and read the prompt of a group once.
        max_rollout_tokens: generated tokens after which training stops, thrown away rounds included; 0 = no limit.
    """

    dynamic_sampling: bool = field(
        default=False,
        metadata={"help": "Replace groups whose completions all got the same reward by freshly sampled prompts."},
    )
    max_resample: int = field(
        default=3,
        metadata={
            "help": "Most resampling rounds per generation; each round generates one full batch on every "
            "process. Groups still without variance then stay as filler and are left out of the loss."
        },
    )
    answer_constraint: str | None = field(
        default=None,
        metadata={
            "help": "None: free sampling. 'trie': after </think> the answer tags are forced and the item "
            "follows the catalogue's prefix tree; log-probabilities are renormalised over the allowed "
            "tokens."
        },
    )
    anchor_weight: float = field(
        default=0.0,
        metadata={
            "help": "Weight of the cross-entropy on supervised rows (direct recommendation) beside the policy "
            "loss, so that RL on reasoning does not unlearn direct mode; 0 = none."
        },
    )
    anchor_batch_size: int = field(default=32, metadata={"help": "Supervised rows per process and pass."})
    anchor_target: str = field(
        default="labels",
        metadata={
            "help": "labels: cross-entropy on the rows' own tokens. reference: KL(start || policy) at the same places, "
            "whose gradient is zero at the start: it holds direct mode without adding the noise of a few rows to the "
            "gradient of the rewards. Needs beta > 0, which loads the reference.",
            "choices": ["labels", "reference"],
        },
    )
    fast_scoring: bool = field(
        default=True,
        metadata={
            "help": "Read the prompt of a group once when its completions are scored, and on a CPU multiply only "
            "completion tokens by the output matrix: the same figures up to rounding. false: TRL's own scoring. "
            "Sharing is left out under gradient checkpointing, FSDP and DeepSpeed."
        },
    )
    max_rollout_tokens: int = field(
        default=0,
        metadata={
            "help": "Stop after so many generated tokens, those of thrown away rounds included: the budget at which "
            "methods that sample differently are compared. 0 = no limit, max_steps decides."
        },
    )

    def __post_init__(self) -> None:
        """Check the values that only make sense together; every message shows the numbers and a remedy."""
        super().__post_init__()
        self.check_resampling()
        self._check_constraint()
        self._check_generation_boundary()
        if self.anchor_weight < 0 or self.anchor_batch_size < 1:
            raise ValueError(
                f"anchor_weight must be 0 or more and anchor_batch_size at least 1, got {self.anchor_weight} and "
                f"{self.anchor_batch_size}"
            )
        if self.anchor_target not in ("labels", "reference"):
            raise ValueError(f"anchor_target must be 'labels' or 'reference', got {self.anchor_target!r}")
        if self.anchor_weight > 0 and self.anchor_target == "reference" and self.beta == 0:
            raise ValueError(
                "anchor_target='reference' needs the reference model, which beta=0 leaves out; set beta=0.001 or "
                "anchor_target='labels'"
            )

    @property
    def steps_per_rollout(self) -> int:
        """Optimizer steps that are trained on one batch of rollouts."""
        return max(1, self._passes_per_rollout // self.gradient_accumulation_steps)

    @property
    def _passes_per_rollout(self) -> int:
        """Forward-backward passes that are trained on one batch of rollouts."""
        return int(self.steps_per_generation * self.num_iterations)

    def check_boundary(self, name: str, steps: int) -> None:
        """Check that a checkpoint every `steps` optimizer steps falls between two batches of rollouts.

        Args:
            name: argument that holds the interval, for the message.
            steps: interval in optimizer steps.

        Raises:
            ValueError: it would fall inside a batch of rollouts, which is not stored.
        """
        period = self.steps_per_rollout
        if steps % period:
            raise ValueError(
                f"{name}={steps} is not a multiple of the {period} optimizer steps that train on one batch "
                f"of rollouts (steps_per_generation {self.steps_per_generation} * num_iterations "
                f"{self.num_iterations} / gradient_accumulation_steps {self.gradient_accumulation_steps}); "
                f"a run resumed from there would differ. Set {name}={ceil(steps / period) * period}."
            )

    def check_resampling(self) -> None:
        """Check that resampling, which replaces whole groups, finds whole groups on every process.

        Raises:
            ValueError: a group would be split over processes, or a negative number of rounds.
        """
        rows = self.per_device_train_batch_size * self.steps_per_generation
        if self.dynamic_sampling and rows % self.num_generations:
            raise ValueError(
                f"dynamic_sampling needs whole groups on every process: {rows} completions per process "
                f"(per_device_train_batch_size {self.per_device_train_batch_size} * steps_per_generation "
                f"{self.steps_per_generation}) are not divisible by num_generations {self.num_generations}. "
                f"Set per_device_train_batch_size={self.num_generations} or dynamic_sampling=False."
            )
        if self.max_resample < 0:
            raise ValueError(f"max_resample must be 0 or more rounds, got {self.max_resample}")

    def _check_constraint(self) -> None:
        """The trie needs our sampler, and a sampling distribution that the trainer can score."""
        if self.answer_constraint == "none":  # how a command line writes it
            self.answer_constraint = None
        if self.answer_constraint not in (None, "trie"):
            raise ValueError(f"answer_constraint must be None or 'trie', got {self.answer_constraint!r}")
        if self.answer_constraint is None:
            return
        engine = "use_vllm" if self.use_vllm else "use_transformers_continuous_batching"
        if self.use_vllm or self.use_transformers_continuous_batching:
            raise ValueError(
                f"the trie constraint needs transformers' generate, but {engine}=True; set {engine}=False, "
                "or answer_constraint=None to sample freely with the faster engine"
            )
        neutral = {
            "top_p": (None, 1.0),
            "top_k": (None, 0),
            "min_p": (None, 0.0),
            "repetition_penalty": (None, 1.0),
        }
        for name, allowed in neutral.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"the trie constraint needs {name}={allowed[1]}, got {getattr(self, name)}: the trainer "
                    f"scores the distribution without it. Set {name}={allowed[1]}, or "
                    "answer_constraint=None."
                )

    def _check_generation_boundary(self) -> None:
        """Checkpoints must not cut a batch of rollouts in two."""
        if self.save_strategy == "no":
            return
        passes, accumulation = self._passes_per_rollout, self.gradient_accumulation_steps
        if passes % accumulation and accumulation % passes:
            raise ValueError(
                f"steps_per_generation {self.steps_per_generation} * num_iterations {self.num_iterations} = "
                f"{passes} and gradient_accumulation_steps {accumulation} must divide one another, "
                "otherwise no checkpoint falls between two batches of rollouts. Set "
                f"steps_per_generation={accumulation} or save_strategy='no'."
            )
        if self.max_steps > 0:  # the last checkpoint
            self.check_boundary("max_steps", int(self.max_steps))
        if self.save_strategy == "steps" and self.save_steps >= 1:
            self.check_boundary("save_steps", int(self.save_steps))
