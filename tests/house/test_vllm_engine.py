"""Does the installed vLLM load a Qwen3 checkpoint of ours and sample from allowed tokens only?"""

from __future__ import annotations

from pathlib import Path

import pytest

ALLOWED = [7, 11, 13, 17]


def save_tiny_qwen3(folder: Path) -> None:
    """Save a random Qwen3 with 64 tokens; no tokenizer is needed where prompts are token ids."""
    from genrec.llm.backbones import TinyConfig, build_tiny

    shape = TinyConfig(64, 2, num_heads=2, num_kv_heads=2, intermediate=64, max_positions=128)
    build_tiny(shape, 64, eos_id=1).save_pretrained(folder)


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
