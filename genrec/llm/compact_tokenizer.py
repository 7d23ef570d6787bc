"""Which tokenizer does a model of a few million parameters deserve? A small one, trained on the catalogue.

Byte-level BPE with Qwen3's NFC normaliser, pre-tokeniser pattern, ChatML turns and end tokens, so that
whatever is written for Qwen3 works unchanged, in some thousand tokens instead of 151,669.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"

CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
"""ChatML with the newlines of Qwen3-Instruct-2507; no thinking block is inserted."""

SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Qwen's pre-tokeniser: words with their leading space, single digits, punctuation, white space."""

SMALLEST = 256 + 3
"""All bytes and the three ChatML tokens."""


def train_compact_tokenizer(
    texts: Iterable[str], vocab_size: int = 4096, max_length: int = 1024
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer; any text round-trips up to NFC.

    Args:
        texts: what the model will read and write: catalogue texts, prompts, chains. Equal texts give
            equal tokenizers.
        vocab_size: number of tokens before SID tokens are added (1,024 more at 4 x 256; keep the sum
            below 6,000).
        max_length: context length the tokenizer reports, in tokens.

    Returns:
        A Hugging Face tokenizer: end token `<|im_end|>`, padding `<|endoftext|>`, ChatML chat template.

    Raises:
        ValueError: `vocab_size` below the 259 tokens that are always there.
    """
    from tokenizers.pre_tokenizers import ByteLevel
    from tokenizers.trainers import BpeTrainer
    from transformers import PreTrainedTokenizerFast

    if vocab_size < SMALLEST:
        raise ValueError(f"vocab_size {vocab_size} is below {SMALLEST} (256 bytes + 3 ChatML tokens)")
    tokenizer = _untrained()
    trainer = BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, START, END],
        initial_alphabet=sorted(ByteLevel.alphabet()),
        min_frequency=2,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[START],
        chat_template=CHAT_TEMPLATE,
        model_max_length=max_length,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def _untrained() -> Tokenizer:
    """Qwen3's pipeline around an empty BPE model."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
