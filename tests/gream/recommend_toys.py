"""A shop of twelve films, a tokenizer and a random two-layer model."""

from __future__ import annotations

from typing import Any

import numpy as np

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TITLES = [
    "Alien", "Aliens", "Heat", "Fargo", "Casino", "Seven",
    "Brazil", "Ran", "Solaris", "Stalker", "Mirror", "Alien",
]  # fmt: skip
CODES = [[i // 4, i % 4, i // 6] for i in range(12)]  # levels of 3, 4 and 2 codes


def toy_tokenizer() -> Any:
    """Byte-level BPE with a ChatML template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(["the user likes films and wants another film next"], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=CHATML,
        clean_up_tokenization_spaces=False,
    )


def toy_model(tokens: int, seed: int = 0) -> Any:
    """Random Qwen3 of width 32 whose output matrix has three rows more than the tokenizer has tokens."""
    from genrec.llm.backbones import TinyConfig, build_tiny

    shape = TinyConfig(32, 2, num_heads=1, intermediate=48, max_positions=512)  # heads of 32: the least vLLM takes
    return build_tiny(shape, tokens + 3, seed).eval()


def toy_index(seed: int = 0) -> Any:
    """Index of the twelve films."""
    from genrec.sid.codes import ItemCodes

    return ItemCodes(np.array(CODES), codebook_sizes=(3, 4, 2), config={"method": "by hand", "seed": seed})
