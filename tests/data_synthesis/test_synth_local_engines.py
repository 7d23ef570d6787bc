"""Models in this process: batches, failures, and a real (tiny, untrained) model end to end."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from data_synthesis.config import EngineConfig
from data_synthesis.engines import Answer, Prompt
from data_synthesis.engines.batched import BatchedEngine
from data_synthesis.engines.local import load_transformers

CONFIG = EngineConfig(engine="transformers", model="m", batch=4)


def _prompt(key: str) -> Prompt:
    return Prompt(key, lambda: [{"role": "user", "content": f"say {key}"}], {})


def _ask_all(engine: BatchedEngine, count: int) -> list[Any]:
    async def go() -> list[Any]:
        try:
            questions = (engine.complete(_prompt(str(number))) for number in range(count))
            return await asyncio.gather(*questions, return_exceptions=True)
        finally:
            await engine.close()

    return asyncio.run(go())


def test_prompts_are_answered_in_batches_each_with_its_own_answer() -> None:
    sizes: list[int] = []

    def load(config: EngineConfig) -> Any:
        def generate(prompts: list[Prompt]) -> list[Answer]:
            sizes.append(len(prompts))
            return [Answer(prompt.key) for prompt in prompts]

        return generate

    answers = _ask_all(BatchedEngine(CONFIG, load), 10)
    assert [answer.text for answer in answers] == [str(number) for number in range(10)]
    assert sizes == [4, 4, 2]


def test_failing_model_fails_everybody_who_waits() -> None:
    def load(config: EngineConfig) -> Any:
        raise FileNotFoundError("no model at m")

    found = _ask_all(BatchedEngine(CONFIG, load), 10)
    assert [type(error) for error in found] == [FileNotFoundError] * 10


@pytest.fixture(scope="module")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from genrec.llm.backbones import TinyConfig, load_backbone

    texts = ["say one two three words to the tokenizer"] * 20
    shape = TinyConfig(hidden_size=64, num_layers=1, num_heads=2, intermediate=32, vocab_size=300)  # vLLM: 32 per head
    model, tokenizer = load_backbone("tiny", texts=texts, tiny=shape)
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }} {% endfor %}"
    folder = tmp_path_factory.mktemp("model")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_transformers_answer_with_their_usage(tiny_folder: Path) -> None:
    config = EngineConfig(engine="transformers", model=str(tiny_folder), batch=3, max_output_tokens=5, temperature=0)
    together = _ask_all(BatchedEngine(config, load_transformers), 3)
    alone = _ask_all(BatchedEngine(config, load_transformers), 1)
    assert all(isinstance(answer, Answer) for answer in together)
    assert together[0].text == alone[0].text, "padding changed an answer"
    assert together[0].usage == alone[0].usage
    assert all(0 < answer.usage.completion <= 5 and answer.usage.prompt > 0 for answer in together)


@pytest.mark.slow
@pytest.mark.vllm
@pytest.mark.timeout(900)
def test_vllm_offline_answers_in_the_schema(tiny_folder: Path) -> None:
    pytest.importorskip("vllm", reason="needs vLLM")
    from data_synthesis.engines.local import load_vllm

    config = EngineConfig(
        engine="vllm", model=str(tiny_folder), dtype="float32", max_model_len=128, max_output_tokens=20, batch=2
    )
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    prompts = [Prompt(str(n), lambda: [{"role": "user", "content": "say one"}], schema) for n in range(3)]

    async def go() -> list[Answer]:
        engine = BatchedEngine(config, load_vllm)
        try:
            return await asyncio.gather(*(engine.complete(prompt) for prompt in prompts))
        finally:
            await engine.close()

    answers = asyncio.run(go())
    assert all(answer.text.lstrip().startswith("{") for answer in answers), "an untrained model, held to the schema"
    assert all(0 < answer.usage.completion <= 20 and answer.usage.prompt > 0 for answer in answers)
