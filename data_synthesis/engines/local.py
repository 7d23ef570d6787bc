"""How does a model in this process answer? vLLM offline with JSON schemas, or transformers as the slow fallback."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from data_synthesis.config import EngineConfig
from data_synthesis.engines import Answer, Prompt, Usage
from data_synthesis.engines.batched import Generate
from genrec.llm.vllm_cpu import vllm_environment


@dataclass(frozen=True)
class Model:
    """A loaded model that answers batches, and how its processes end."""

    generate: Generate
    shutdown: Callable[[], None]

    def __call__(self, prompts: list[Prompt]) -> list[Answer]:
        """Answers a batch."""
        return self.generate(prompts)


def load_vllm(config: EngineConfig) -> Generate:
    """Loads a model into `vllm.LLM`; answers follow the prompts' JSON schemas unless `structured` is "none"."""
    import torch
    from vllm import LLM, SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    os.environ.update(vllm_environment())
    limit = {"max_model_len": config.max_model_len} if config.max_model_len else {}
    eager = not torch.cuda.is_available()  # compiling for a CPU takes minutes and gains little
    model = LLM(model=_folder(config.model), dtype=config.dtype, enforce_eager=eager, **limit)

    def sampling(prompt: Prompt) -> Any:
        guided = None if config.structured == "none" else StructuredOutputsParams(json=dict(prompt.schema))
        return SamplingParams(
            temperature=config.temperature, max_tokens=config.max_output_tokens, structured_outputs=guided
        )

    def generate(prompts: list[Prompt]) -> list[Answer]:
        outputs = model.chat([p.messages for p in prompts], [sampling(p) for p in prompts], use_tqdm=False)
        return [
            Answer(
                found.outputs[0].text,
                Usage(len(found.prompt_token_ids), len(found.outputs[0].token_ids)),
                cut=found.outputs[0].finish_reason == "length",
            )
            for found in outputs
        ]

    return Model(generate, model.llm_engine.engine_core.shutdown)


def load_transformers(config: EngineConfig) -> Generate:
    """Loads a causal language model of Hugging Face; the tokenizer needs a chat template."""
    import torch

    from genrec.llm.backbones import load_backbone

    model, tokenizer = load_backbone(config.model, dtype=config.dtype)
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    tokenizer.padding_side = "left"
    sampling: dict[str, Any] = {"do_sample": config.temperature > 0}
    sampling |= {"temperature": config.temperature} if config.temperature > 0 else {}

    @torch.inference_mode()
    def generate(prompts: list[Prompt]) -> list[Answer]:
        texts = [tokenizer.apply_chat_template(p.messages, tokenize=False, add_generation_prompt=True) for p in prompts]
        batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
        written = model.generate(
            **batch, max_new_tokens=config.max_output_tokens, pad_token_id=tokenizer.pad_token_id, **sampling
        )[:, batch["input_ids"].shape[1] :]
        read = batch["attention_mask"].sum(dim=1).tolist()
        return [_answer(tokenizer, ids, count) for ids, count in zip(written.tolist(), read, strict=True)]

    return generate


def _folder(model: str) -> str:
    """The folder of `smollm2`, which transformers' loader knows by name; any other model as it is."""
    if model != "smollm2":
        return model
    from genrec.llm.assets import smollm2_folder

    return str(smollm2_folder())


def _answer(tokenizer: Any, ids: list[int], read: int) -> Answer:
    """One row of a batch; without an end token the output limit cut it."""
    ended = tokenizer.eos_token_id in ids
    size = ids.index(tokenizer.eos_token_id) + 1 if ended else len(ids)
    return Answer(tokenizer.decode(ids[:size], skip_special_tokens=True), Usage(read, size), cut=not ended)
