"""Which settings does FlexCode have, and which of its parts can be switched off?"""

from __future__ import annotations

from dataclasses import dataclass, field

from genrec.sid.rqvae.model import RQVAEConfig

CODEBOOKS = ("both", "collaborative", "semantic")
SPLITS = ("routed", "fixed")


@dataclass
class FlexCodeConfig(RQVAEConfig):
    """RQ-VAE settings for both codebooks, and what joins them. The mean budget is the index's `num_levels`.

    Raises:
        ValueError: a setting outside its range.
    """

    codebooks: str = field(default="both", metadata={"help": "both, collaborative or semantic (ablations)"})
    split: str = field(default="routed", metadata={"help": "routed by popularity, or fixed half and half (ablation)"})
    variable_budget: bool = field(default=True, metadata={"help": "False: all items get num_levels tokens (ablation)"})
    min_budget: int = field(default=3, metadata={"help": "tokens that every item has at least"})
    max_budget: int = field(default=6, metadata={"help": "tokens that no item exceeds"})
    alignment: float = field(default=0.1, metadata={"help": "weight of CCA; 0 switches it off (ablation)"})
    alignment_temperature: float = field(default=0.1, metadata={"help": "temperature of CCA's cosines"})
    balance: float = field(default=1.0, metadata={"help": "weight of the balance loss"})
    smoothness: float = field(default=0.01, metadata={"help": "weight of the smoothness loss"})
    budget_weight: float = field(default=1.0, metadata={"help": "weight that holds the mean budget at num_levels"})
    mask_temperature: float = field(default=0.3, metadata={"help": "width of the soft mask's edge, in positions"})
    router_hidden: int = field(default=32, metadata={"help": "width of the router's inner layer"})
    joint: float = field(
        default=0.0, metadata={"help": "weight of a small decoder's next-token loss; 0 = two steps, codes first"}
    )
    joint_width: int = field(default=64, metadata={"help": "width of that decoder"})
    joint_batch: int = field(default=32, metadata={"help": "histories per step of joint training"})
    joint_history: int = field(default=20, metadata={"help": "latest items that the decoder reads"})
    router_gain: float = field(
        default=8.0, metadata={"help": "factor on the router's outputs: it learns faster than the codebooks (ours)"}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.codebooks not in CODEBOOKS:
            raise ValueError(f"codebooks is {self.codebooks!r}; choose one of {', '.join(CODEBOOKS)}")
        if self.split not in SPLITS:
            raise ValueError(f"split is {self.split!r}; choose one of {', '.join(SPLITS)}")
        if not 2 <= self.min_budget <= self.max_budget:
            raise ValueError(f"budgets need 2 <= min_budget <= max_budget, got {self.min_budget} and {self.max_budget}")
        if min(self.alignment_temperature, self.mask_temperature, self.router_gain) <= 0:
            raise ValueError(
                "alignment_temperature, mask_temperature and router_gain must be positive, got "
                f"{self.alignment_temperature}, {self.mask_temperature}, {self.router_gain}"
            )
        if min(self.alignment, self.balance, self.smoothness, self.budget_weight, self.joint) < 0:
            raise ValueError("alignment, balance, smoothness, budget_weight and joint must not be negative")
        if min(self.joint_width, self.joint_batch, self.joint_history) < 1:
            raise ValueError(
                "joint_width, joint_batch and joint_history must be at least 1, got "
                f"{self.joint_width}, {self.joint_batch}, {self.joint_history}"
            )

    def check_budget(self, budget: int) -> None:
        """Check the mean budget against its limits.

        Raises:
            ValueError: it lies outside them.
        """
        if not self.variable_budget and budget < 2:
            raise ValueError(f"num_levels is {budget}; FlexCode needs at least 2 tokens per item")
        if self.variable_budget and not self.min_budget <= budget <= self.max_budget:
            raise ValueError(
                f"num_levels {budget} is the mean budget and must lie between min_budget {self.min_budget} and "
                f"max_budget {self.max_budget}; change one of them or set variable_budget to false"
            )
