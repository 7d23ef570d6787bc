"""Does the installed vLLM load a Qwen3 checkpoint of ours and sample from allowed tokens only?"""

from __future__ import annotations

from pathlib import Path

import pytest

ALLOWED = [7, 11, 13, 17]


def save_tiny_qwen3(folder: Path) -> None:
    """Save a random Qwen3 with 64 tokens; no tokenizer is needed where prompts are token ids."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=64,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=128,
        eos_token_id=1,
    )
    Qwen3ForCausalLM(config).save_pretrained(folder)


@pytest.mark.vllm
@pytest.mark.timeout(600)
def test_vllm_samples_only_allowed_tokens_from_a_random_qwen3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    from vllm import LLM, SamplingParams

    save_tiny_qwen3(tmp_path)
    engine = LLM(str(tmp_path), dtype="float32", enforce_eager=True, skip_tokenizer_init=True, max_model_len=64, seed=0)
    sampling = SamplingParams(
        temperature=1.0, max_tokens=16, ignore_eos=True, allowed_token_ids=ALLOWED, detokenize=False, seed=3
    )
    prompts = [{"prompt_token_ids": [2, 3, 5]}, {"prompt_token_ids": [40, 41]}]
    try:
        outputs = engine.generate(prompts, sampling, use_tqdm=False)
    finally:
        engine.llm_engine.engine_core.shutdown()
    answers = [output.outputs[0].token_ids for output in outputs]
    assert [len(answer) for answer in answers] == [16, 16]
    assert set(answers[0]) | set(answers[1]) <= set(ALLOWED)
    assert len(set(answers[0])) > 1, "16 times the same of four near-uniform tokens is no sample"
