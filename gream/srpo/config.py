"""Which settings does SRPO have? The paper's values as defaults, on top of TRL's GRPO arguments."""

from __future__ import annotations

from dataclasses import dataclass, field

from genrec.posttrain.grpo_config import RecGRPOConfig


@dataclass
class SRPOConfig(RecGRPOConfig):
    """SRPO arguments.

    Args:
        reward_exponent: exponent of the prefix reward (the paper's beta).
        bonus: add the Pass@K bonus to the advantage.
        bonus_k: K of the bonus.

    Source: arXiv 2510.20815 for the defaults; `beta` here is TRL's KL weight.
    """

    reward_exponent: float = field(
        default=0.5,
        metadata={"help": "Exponent of (correct prefix / length), the paper's beta; inf rewards exact items only."},
    )
    bonus: bool = field(default=True, metadata={"help": "Add the Pass@K bonus to the advantage."})
    bonus_k: int = field(default=4, metadata={"help": "K of the Pass@K bonus, at most num_generations."})
    dynamic_sampling: bool = field(
        default=True,
        metadata={"help": "Replace groups whose completions all got the same reward by freshly sampled prompts."},
    )
    num_generations: int | None = field(default=10, metadata={"help": "Completions per prompt (group size G)."})
    per_device_train_batch_size: int = field(
        default=10, metadata={"help": "Completions per process and pass; one group by default."}
    )
    learning_rate: float = field(default=4e-6, metadata={"help": "Peak learning rate (the authors' code: 2e-6)."})
    beta: float = field(default=0.001, metadata={"help": "Weight of the KL term to the SFT model."})
    loss_type: str = field(default="dapo", metadata={"help": "Token mean over the whole batch."})
    epsilon: float = field(default=0.2, metadata={"help": "Clip range of the probability ratio."})
    temperature: float = field(default=1.0, metadata={"help": "Sampling temperature of the rollouts."})
    top_p: float = field(default=1.0, metadata={"help": "Nucleus mass of the rollouts."})

    def __post_init__(self) -> None:
        """Check the values; every message shows the numbers and a remedy."""
        super().__post_init__()
        self.reward_exponent = float(self.reward_exponent)
        if not self.reward_exponent > 0:
            raise ValueError(
                f"reward_exponent must be positive, got {self.reward_exponent}; 0.5 is the paper's value, "
                "inf rewards exact items only"
            )
        group_size = int(self.num_generations or 0)
        if self.bonus and not 1 <= self.bonus_k <= group_size:
            raise ValueError(
                f"bonus_k must be between 1 and num_generations: got bonus_k {self.bonus_k} with "
                f"num_generations {group_size}. Set bonus_k={min(4, group_size)} or bonus=False."
            )
