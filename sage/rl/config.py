"""Which settings does the reinforcement learning have? On top of TRL's GRPO arguments."""

from __future__ import annotations

from dataclasses import dataclass, field

from genrec.posttrain.grpo_config import RecGRPOConfig

OBJECTIVES = ("hit", "diversity", "cold")


@dataclass
class SageRLConfig(RecGRPOConfig):
    """SAGE's arguments; ratios are per sequence and answers come from the catalogue by default.

    Source: METHODS 4, arXiv 2601.21452; the weights are ours.
    """

    hit_weight: float = field(default=1.0, metadata={"help": "Weight of finding the next item."})
    diversity_weight: float = field(default=0.3, metadata={"help": "Weight of differing from the group's other items."})
    cold_weight: float = field(default=0.2, metadata={"help": "Weight of fitting items that few users chose."})
    near_hit: float = field(
        default=0.3,
        metadata={"help": "Reward of a miss whose item is as near as can be to the target, in [0, 1); 0 = hits only."},
    )
    normalise_batch: bool = field(
        default=True, metadata={"help": "Bring the summed objectives to mean 0, deviation 1 over the batch."}
    )
    eps_boost: float = field(
        default=0.1, metadata={"help": "Added to the upper clip bound where the advantage is > 0."}
    )
    widen: float = field(
        default=0.5, metadata={"help": "Growth of the lower clip width where the advantage is < 0 and lists collapse."}
    )
    importance_sampling_level: str = field(default="sequence", metadata={"help": "Ratio per sequence, or per token."})
    answer_constraint: str | None = field(default="trie", metadata={"help": "'trie' or none (free sampling)."})
    loss_type: str = field(default="grpo", metadata={"help": "Mean over completions."})
    num_generations: int | None = field(default=8, metadata={"help": "Completions per prompt (group size G)."})
    per_device_train_batch_size: int = field(default=8, metadata={"help": "Completions per process and pass."})
    learning_rate: float = field(default=1e-5, metadata={"help": "Peak learning rate."})
    beta: float = field(default=0.0, metadata={"help": "Weight of the KL term to the SFT model."})
    temperature: float = field(default=1.0, metadata={"help": "Sampling temperature of the rollouts."})
    top_p: float = field(default=1.0, metadata={"help": "Nucleus mass of the rollouts."})

    def __post_init__(self) -> None:
        """Check the values; every message shows the numbers and a remedy."""
        super().__post_init__()
        if min(self.objective_weights) < 0 or sum(self.objective_weights) == 0:
            raise ValueError(f"weights of {', '.join(OBJECTIVES)} must be >= 0 and not all 0: {self.objective_weights}")
        if not 0 <= self.near_hit < 1:
            raise ValueError(f"near_hit must be in [0, 1), got {self.near_hit}; 1 would make a miss a hit")
        if self.eps_boost < 0 or self.widen < 0:
            raise ValueError(f"eps_boost and widen must not be negative, got {self.eps_boost} and {self.widen}")
        rows = self.per_device_train_batch_size * self.steps_per_generation
        if rows % int(self.num_generations or 1):
            raise ValueError(
                f"a list is a whole group on one process: {rows} completions per process are not divisible by "
                f"num_generations {self.num_generations}; set per_device_train_batch_size={self.num_generations}"
            )

    @property
    def objective_weights(self) -> tuple[float, float, float]:
        """Weights in the order of `OBJECTIVES`."""
        return self.hit_weight, self.diversity_weight, self.cold_weight
