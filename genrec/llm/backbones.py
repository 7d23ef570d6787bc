"""Which language model does a stage train? `tiny`, `smollm2`, or any Hugging Face causal LM."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrec.llm.compact_tokenizer import train_compact_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase, Qwen3ForCausalLM

MAX_VOCABULARY = 6000


@dataclass
class TinyConfig:
    """A Qwen3 of 2 to 8 million parameters with a tokenizer trained on the catalogue.

    Raises:
        ValueError: a setting that gives no valid model.
    """

    hidden_size: int = field(default=192, metadata={"help": "width"})
    num_layers: int = field(default=4, metadata={"help": "transformer layers"})
    num_heads: int = field(default=6, metadata={"help": "attention heads"})
    num_kv_heads: int = field(
        default=0,
        metadata={"help": "key-value heads, a divisor of num_heads; 0 = half of num_heads where even"},
    )
    intermediate: int = field(default=576, metadata={"help": "width of the feed-forward layer"})
    vocab_size: int = field(default=4096, metadata={"help": "tokens before SID tokens are added, at most 6,000"})
    max_positions: int = field(default=2048, metadata={"help": "longest sequence in tokens"})
    tied: bool = field(default=True, metadata={"help": "one matrix for input and output embeddings"})

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_heads or (self.hidden_size // self.num_heads) % 2:
            raise ValueError(
                f"hidden_size {self.hidden_size} must be num_heads {self.num_heads} times an even head width"
            )
        if self.num_kv_heads == 0:
            self.num_kv_heads = self.num_heads // 2 if self.num_heads % 2 == 0 else self.num_heads
        if self.num_heads % self.num_kv_heads:
            raise ValueError(f"num_kv_heads {self.num_kv_heads} must divide num_heads {self.num_heads}")
        if self.vocab_size > MAX_VOCABULARY:
            raise ValueError(f"vocab_size {self.vocab_size} is above {MAX_VOCABULARY}; a tiny model needs a tiny one")


def build_tiny(
    config: TinyConfig, num_tokens: int, seed: int = 0, eos_id: int | None = None, pad_id: int | None = None
) -> Qwen3ForCausalLM:
    """A randomly initialised Qwen3; tests and benchmarks take their small models from here as well.

    Args:
        config: its shape.
        num_tokens: rows of the embedding matrix.
        seed: of the initialisation; the global generator is left as it was.
        eos_id: end token; None = the model knows none.
        pad_id: padding token; None = the model knows none.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    settings = Qwen3Config(
        vocab_size=num_tokens,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate,
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        num_key_value_heads=config.num_kv_heads,
        head_dim=config.hidden_size // config.num_heads,
        max_position_embeddings=config.max_positions,
        tie_word_embeddings=config.tied,
        eos_token_id=eos_id,
        pad_token_id=pad_id,
        bos_token_id=None,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen3ForCausalLM(settings)


def load_backbone(
    spec: str,
    *,
    dtype: str | torch.dtype = "float32",
    texts: Iterable[str] | None = None,
    tiny: TinyConfig | None = None,
    seed: int = 0,
    **loading: Any,
) -> tuple[Any, PreTrainedTokenizerBase]:
    """A model and its tokenizer.

    Args:
        spec: `tiny`, `smollm2`, or the id or folder of any Hugging Face causal LM.
        dtype: of the weights: a torch dtype, its name, or `"auto"` (as stored).
        texts: what the compact tokenizer is trained on; `tiny` only.
        tiny: shape; `tiny` only.
        seed: initialisation; `tiny` only.
        loading: further arguments of `from_pretrained`, for example `quantization_config` or
            `attn_implementation`.

    Returns:
        Model and tokenizer; the tokenizer has a padding token.

    Raises:
        ValueError: `tiny` without texts.
        FileNotFoundError: a folder that does not exist.
    """
    if spec == "tiny":
        return _load_tiny(texts, tiny or TinyConfig(), seed, dtype)
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = _source(spec)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=dtype, **loading)
    tokenizer = AutoTokenizer.from_pretrained(source)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def _load_tiny(
    texts: Iterable[str] | None, config: TinyConfig, seed: int, dtype: str | torch.dtype
) -> tuple[Any, PreTrainedTokenizerBase]:
    if texts is None:
        raise ValueError("backbone 'tiny' trains its tokenizer on the catalogue; pass texts=catalogue.texts()")
    import torch

    tokenizer = train_compact_tokenizer(texts, config.vocab_size, config.max_positions)
    model = build_tiny(config, len(tokenizer), seed, tokenizer.eos_token_id, tokenizer.pad_token_id)
    chosen = getattr(torch, dtype) if isinstance(dtype, str) and dtype != "auto" else dtype
    return (model if chosen == "auto" else model.to(chosen)), tokenizer


def _source(spec: str) -> str:
    """A folder that exists, the converted SmolLM2, or a hub id as it is."""
    if spec == "smollm2":
        from genrec.llm.assets import smollm2_folder

        return str(smollm2_folder())
    if spec.startswith((".", "/", "~")) or spec.count("/") > 1:
        folder = Path(spec).expanduser()
        if not (folder / "config.json").is_file():
            raise FileNotFoundError(f"no model at {folder} (config.json is missing); give a model folder or a hub id")
        return str(folder)
    return spec
