"""What can be set in CoRec? Weights, strengths and the ablation switches."""

from __future__ import annotations

from dataclasses import dataclass

POSITIVES = ("view", "item", "cluster")


@dataclass(frozen=True)
class CoRecConfig:
    """Options of CoRec.

    Attributes:
        contrast: global contrast on.
        reconstruction: interest-directed reconstruction on.
        fixed_weights: both count one half whatever the length (ContrastRecon type).
        positives: which sequences belong together: "view" (two views of one), "item" (same last item), "cluster".
        contrast_weight: of the contrast in the loss.
        reconstruction_weight: of the reconstruction in the loss.
        temperature: of the contrast.
        middle: n0, history length at which both count the same.
        scale: tau, how slowly one gives way to the other.
        latent: z, width of the latent variable.
        kl_weight: peak weight of the KL term.
        kl_steps: steps over which it rises from 0.
        hidden_share: share of a history that reconstruction hides, in [0, 1).
        core_share: a cluster with this share of a history is a core interest.
    """

    contrast: bool = True
    reconstruction: bool = True
    fixed_weights: bool = False
    positives: tuple[str, ...] = POSITIVES
    contrast_weight: float = 0.1
    reconstruction_weight: float = 0.1
    temperature: float = 0.2
    middle: float = 8.0
    scale: float = 3.0
    latent: int = 32
    kl_weight: float = 0.01
    kl_steps: int = 1000
    hidden_share: float = 0.3
    core_share: float = 0.25

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        if not self.positives or not set(self.positives) <= set(POSITIVES):
            raise ValueError(f"positives must be some of {', '.join(POSITIVES)}, got {self.positives}")
        if self.temperature <= 0 or self.scale <= 0 or self.latent < 1:
            raise ValueError(
                "temperature and scale must be positive and latent at least 1, got "
                f"{self.temperature}, {self.scale}, {self.latent}"
            )
        if min(self.contrast_weight, self.reconstruction_weight, self.kl_weight, self.kl_steps) < 0:
            raise ValueError(
                "contrast_weight, reconstruction_weight, kl_weight and kl_steps must not be negative, got "
                f"{self.contrast_weight}, {self.reconstruction_weight}, {self.kl_weight}, {self.kl_steps}"
            )
        if not 0.0 <= self.hidden_share < 1.0 or not 0.0 < self.core_share <= 1.0:
            raise ValueError(
                "hidden_share must be in [0, 1) and core_share in (0, 1], got "
                f"{self.hidden_share} and {self.core_share}"
            )
