"""What can `gream serve` be told about its engine? Batches, beams and sampling."""

from __future__ import annotations

from dataclasses import dataclass, field

from gream.recommend.sampling import SamplingConfig


@dataclass(frozen=True)
class EngineOptions:
    """Settings of a `GreamEngine`.

    Attributes:
        num_beams: Beams of a search; a longer list takes a multiple.
        max_batch: Direct searches in one batch.
        max_chains: Reasoning requests in one batch.
        sampling: Temperature, nucleus and budget of chains; requests bring their own seed.
    """

    num_beams: int = 20
    max_batch: int = 16
    max_chains: int = 8
    sampling: SamplingConfig = field(default_factory=lambda: SamplingConfig(max_new_tokens=96))

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("num_beams", "max_batch", "max_chains"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
