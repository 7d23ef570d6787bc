"""What shape has a sequence model, and by which loss does it learn? Options that all backbones share."""

from __future__ import annotations

from dataclasses import dataclass

LOSSES = ("ce", "bce", "gbce", "sampled_softmax")


@dataclass
class SequenceConfig:
    """Options of every sequence model.

    Attributes:
        width: embedding width d.
        dropout: dropout of the inputs and between layers.
        max_history: most recent items that are read.
        loss: "ce" (softmax over the whole catalogue), "bce", "gbce" or "sampled_softmax".
        num_negatives: items drawn against each target (bce, gbce) or once per step (sampled_softmax); ce draws none.
        gbce_t: calibration of gbce in [0, 1]: 0 is plain bce, 1 gives calibrated probabilities.
    """

    width: int = 64
    dropout: float = 0.5
    max_history: int = 50
    loss: str = "ce"
    num_negatives: int = 1
    gbce_t: float = 0.75

    def __post_init__(self) -> None:
        """Refuse values that cannot work."""
        if self.width < 1 or self.max_history < 1 or not 0.0 <= self.dropout < 1.0:
            raise ValueError(
                "width and max_history must be at least 1 and dropout in [0, 1), got "
                f"{self.width}, {self.max_history}, {self.dropout}"
            )
        if self.loss not in LOSSES:
            raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {self.loss!r}")
        if self.num_negatives < 1 or not 0.0 <= self.gbce_t <= 1.0:
            raise ValueError(
                "num_negatives must be at least 1 and gbce_t in [0, 1], got "
                f"num_negatives={self.num_negatives}, gbce_t={self.gbce_t}"
            )


@dataclass
class TransformerConfig(SequenceConfig):
    """Options of SASRec and BERT4Rec.

    Attributes:
        num_layers: transformer layers.
        num_heads: attention heads, a divisor of width.
        inner_width: width of the feed-forward layer, 0 for 4 * width.
    """

    num_layers: int = 2
    num_heads: int = 2
    inner_width: int = 0

    def __post_init__(self) -> None:
        """Refuse shapes that cannot work."""
        if self.width < 1 or self.num_heads < 1 or self.width % self.num_heads:
            raise ValueError(
                f"width must be a multiple of num_heads, got width={self.width}, num_heads={self.num_heads}"
            )
        if self.num_layers < 1 or self.inner_width < 0:
            raise ValueError(
                "num_layers must be at least 1 and inner_width not negative, got "
                f"num_layers={self.num_layers}, inner_width={self.inner_width}"
            )
        super().__post_init__()
