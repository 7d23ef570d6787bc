"""Which backbone does a setting name? The three sequence models, by one word."""

from __future__ import annotations

from typing import Any

from genrec.backbones.bert4rec import BERT4Rec, BERT4RecConfig
from genrec.backbones.config import SequenceConfig
from genrec.backbones.gru4rec import GRU4Rec, GRU4RecConfig
from genrec.backbones.sasrec import SASRec, SASRecConfig
from genrec.backbones.sequence import SequenceModel

MODELS: dict[str, type[SequenceModel]] = {"sasrec": SASRec, "gru4rec": GRU4Rec, "bert4rec": BERT4Rec}
SHAPES: dict[str, type[SequenceConfig]] = {"sasrec": SASRecConfig, "gru4rec": GRU4RecConfig, "bert4rec": BERT4RecConfig}
TITLES = {"sasrec": "SASRec", "gru4rec": "GRU4Rec", "bert4rec": "BERT4Rec"}


def row_title(arm: str, backbone: str) -> str:
    """Name of a row: "GRASP around SASRec", and the backbone's own for the plain one."""
    return TITLES[backbone] if arm == "plain" else f"{arm} around {TITLES[backbone]}"


def make_backbone(kind: str, num_items: int, shape: Any, seed: int) -> SequenceModel:
    """A backbone with fresh weights.

    Args:
        kind: sasrec, gru4rec or bert4rec.
        num_items: catalogue size.
        shape: its config dataclass.
        seed: of the weights.

    Raises:
        ValueError: an unknown kind.
    """
    if kind not in MODELS:
        raise ValueError(f"backbone is {kind!r}; it must be one of {', '.join(MODELS)}")
    model: Any = MODELS[kind]
    return model(num_items, shape, seed)  # type: ignore[no-any-return]
