"""What vLLM is told on this machine."""

import pytest
import torch

from genrec.llm.vllm_cpu import vllm_environment


@pytest.mark.parametrize(("gpu", "given", "expected"), [(False, None, "1"), (False, "7", "7"), (True, "7", None)])
def test_a_cache_of_one_gib_on_a_cpu_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, given: str | None, expected: str | None
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    if given is not None:
        monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", given)
    assert vllm_environment().get("VLLM_CPU_KVCACHE_SPACE") == expected
