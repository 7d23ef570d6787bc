"""What can be set for any enriched backbone? The settings that GRASP's and CoRec's recipes share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from genrec.run.rankers.settings import RankerArguments
from llmrec.backbones import MODELS, SHAPES


@dataclass
class EnrichedArguments(RankerArguments):
    """A backbone and its shape."""

    backbone: str = field(default="sasrec", metadata={"help": "sasrec, gru4rec or bert4rec.", "choices": list(MODELS)})
    num_layers: int = field(default=2, metadata={"help": "Layers of the backbone."})
    num_heads: int = field(default=2, metadata={"help": "SASRec, BERT4Rec: attention heads."})
    inner_width: int = field(default=0, metadata={"help": "SASRec, BERT4Rec: feed-forward width; 0 = 4 x width."})
    hidden_width: int = field(default=0, metadata={"help": "GRU4Rec: width of the recurrent state; 0 = 2 x width."})
    mask_share: float = field(default=0.3, metadata={"help": "BERT4Rec: share of a sequence that is masked."})
    last_share: float = field(default=0.2, metadata={"help": "BERT4Rec: share with the last item masked alone."})

    def __post_init__(self) -> None:
        """Refuse an unknown backbone."""
        super().__post_init__()
        if self.backbone not in MODELS:
            raise ValueError(f"backbone is {self.backbone!r}; it must be one of {', '.join(MODELS)}")

    def backbone_shape(self) -> Any:
        """Config of the chosen backbone."""
        return self.shape(SHAPES[self.backbone])
